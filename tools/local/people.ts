/** The person of the local default: approves what others ask for, which takes two factors; what it signs in with lies in files. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { secret, writeWhole } from './files.ts';
import { runProduct } from './product.ts';
import { places, type Settings } from './settings.ts';

export const OFFICER = 'local-officer';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const TOTP_SECRET_BYTES = 20;

export function officerFiles(settings: Settings): { password: string; totpSecret: string; token: string } {
  const { secrets, officerToken } = places(settings);
  return {
    password: join(secrets, `${OFFICER}.password`),
    totpSecret: join(secrets, `${OFFICER}.totp`),
    token: officerToken,
  };
}

/** Makes up the password and the secret of its codes on first use, and the account in the token service's database. */
export async function makePeople(settings: Settings): Promise<void> {
  const files = officerFiles(settings);
  secret(files.password);
  if (!existsSync(files.totpSecret)) writeWhole(files.totpSecret, `${base32(randomBytes(TOTP_SECRET_BYTES))}\n`);
  await runProduct('apps/token/dist/person-account.command.js', [
    ...['--config', join(places(settings).config, 'token.json')],
    ...['--username', OFFICER, '--identity', 'officer', '--roles', 'admin'],
    ...['--password-file', files.password, '--totp-secret-file', files.totpSecret],
  ]);
}

/** RFC 4648 §6, for a whole number of groups of five bits. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((group) => BASE32[Number.parseInt(group, 2)]).join('');
}
