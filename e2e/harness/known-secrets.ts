/** Every secret of a running suite that can be known from outside: its files, its keys, the nonces that it has handed out. */
import { createHmac, createPrivateKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { query } from './database.js';
import { endpoints, HOME, VEHICLE_SERVICES } from './endpoints.js';
import type { KnownSecret } from './log-secrets.js';

const PERIOD_MS = 60_000;

/** @param sinceMs nonces by time are made from then on. */
export async function knownSecrets(sinceMs: number): Promise<KnownSecret[]> {
  return [...secretFiles(), ...keys(), ...dpopNonces(sinceMs), ...tokens(), ...(await commandNonces())];
}

/** Each file of the folder of secrets: passwords, passphrases, keys, TOTP secrets; of JSON every text in it. */
function secretFiles(): KnownSecret[] {
  const folder = join(HOME, 'secrets');
  return readdirSync(folder)
    .filter((name) => !name.endsWith('.pub'))
    .flatMap((name) => {
      const text = readFileSync(join(folder, name), 'utf8').trim();
      const values = name.endsWith('.json')
        ? Object.values(JSON.parse(text) as Record<string, unknown>)
        : text.split('\n');
      return values.filter((value) => typeof value === 'string').map((value) => ({ name: `secrets/${name}`, value }));
    });
}

/** The private part of every key file of the suite's home, as it might be written: base64, base64url, hex. */
function keys(): KnownSecret[] {
  const files = readdirSync(HOME, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.key'))
    .map((entry) => join(entry.parentPath, entry.name));
  return files.flatMap((file) => {
    const name = relative(HOME, file);
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
    return [...lines.map((value) => ({ name, value })), ...privatePart(text).map((value) => ({ name, value }))];
  });
}

/** None of an encrypted key: its lines are looked for all the same. */
function privatePart(pem: string): string[] {
  try {
    const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
    const bytes = Buffer.from(d, 'base64url');
    return [d, bytes.toString('base64'), bytes.toString('hex')];
  } catch {
    return [];
  }
}

/** RFC 9449 §8 as docs/protocols/token.md has it: by time, for each service another. */
function dpopNonces(sinceMs: number): KnownSecret[] {
  const file = join(HOME, 'secrets', 'dpop-nonce');
  if (!existsSync(file)) return [];
  const nonceKeys = readFileSync(file, 'utf8').trim().split('\n');
  const last = Math.floor(Date.now() / PERIOD_MS);
  const periods = Array.from({ length: last - Math.floor(sinceMs / PERIOD_MS) + 1 }, (_, ago) => last - ago);
  return nonceKeys.flatMap((key) =>
    VEHICLE_SERVICES.flatMap((service) =>
      periods.map((period) => {
        const mac = createHmac('sha256', Buffer.from(key, 'hex')).update(`outrider/dpop-nonce/v1 ${service} ${period}`);
        return { name: 'a DPoP nonce', value: mac.digest().subarray(0, 16).toString('base64url') };
      }),
    ),
  );
}

/** Those of operators, which the suite keeps fresh: whole, though their shape would do. */
function tokens(): KnownSecret[] {
  const files = Object.values(endpoints.operators).map(({ tokenFile }) => tokenFile);
  return files
    .filter((file) => existsSync(file))
    .map((file) => ({ name: 'an operator token', value: readFileSync(file, 'utf8').trim() }));
}

/** Of vehicles, for critical commands; and of orders for offline logs. */
async function commandNonces(): Promise<KnownSecret[]> {
  const commands = await query<{ nonce: string }>('SELECT nonce FROM command.commands WHERE nonce IS NOT NULL');
  const orders = await query<{ nonce: string }>('SELECT nonce FROM telemetry.fetch_orders');
  return [
    ...commands.map(({ nonce }) => ({ name: 'a nonce of a command', value: nonce })),
    ...orders.map(({ nonce }) => ({ name: 'a nonce of a fetch order', value: nonce })),
  ];
}
