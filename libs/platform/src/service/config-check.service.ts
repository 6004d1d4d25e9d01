import { createPrivateKey, createPublicKey } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseCertificates } from '@outrider/x509';
import { z } from 'zod';
import {
  type ConfigFinding,
  expiryFinding,
  keyBeside,
  type NamedFile,
  namedFiles,
  permissionFinding,
  type SchemaNode,
} from './check-config.js';
import type { CommonConfig } from './config.js';
import { SECRET_KINDS } from './config-file.js';
import { parseIdentity, renewedIdentityFile } from './renewed-identity.store.js';

const OWNER_PASSWORD = 'database.ownerPasswordFile';

/** The JSON Schema of a configuration file; also what an editor checks one by. */
export function jsonSchemaOf(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
}

/** Looks at every file that a configuration names. Opens no connection and no listener, and changes nothing. */
export function checkFiles(config: CommonConfig, schema: z.ZodType, now: Date): ConfigFinding[] {
  const files = namedFiles(jsonSchemaOf(schema), config);
  const isReplaced = hasRenewed(config, now);
  const broken = files.flatMap((file): ConfigFinding[] => {
    try {
      const findings = checkFile(file, files, now);
      return isReplaced && file.path === config.identity.certificateFile ? findings.map(whileReplaced) : findings;
    } catch (error) {
      // Where migrations are run by somebody else, that one alone has it.
      if (file.key === OWNER_PASSWORD && !existsSync(file.path)) return [];
      return [{ level: 'error', key: file.key, message: `${file.path}: ${(error as Error).message}` }];
    }
  });
  return [...broken, ...checkIdentity(config, now)];
}

/** A certificate that is over keeps nobody from starting who has a renewed one of it. */
function whileReplaced(finding: ConfigFinding): ConfigFinding {
  return finding.message.startsWith('over since') ? { ...finding, level: 'warning' } : finding;
}

function hasRenewed({ identity, service, trustDomain }: CommonConfig, now: Date): boolean {
  if (identity.renewal !== 'self' || identity.stateDirectory === undefined) return false;
  try {
    const { fits, chain } = parseIdentity(readFileSync(renewedIdentityFile(identity.stateDirectory), 'utf8'));
    const isOwn = chain[0]?.sanUris.join() === `spiffe://${trustDomain}/service/${service}`;
    return fits && isOwn && chain[0] !== undefined && chain[0].notAfter > now;
  } catch {
    return false; // said by checkIdentity
  }
}

function checkFile(file: NamedFile, files: readonly NamedFile[], now: Date): ConfigFinding[] {
  const { key, kind, path } = file;
  if (kind === 'state-folder') return checkStateFolder(file);
  if (kind === 'folder') {
    readdirSync(path);
    return [];
  }
  const text = readFileSync(path, 'utf8');
  if (text.trim() === '') throw new Error('it is empty');
  const { mode, uid } = statSync(path);
  const open = SECRET_KINDS.includes(kind) ? permissionFinding(key, mode, uid === process.getuid?.()) : [];
  if (kind === 'key') createPrivateKey(text);
  if (
    kind === 'hex-key' &&
    !text
      .trim()
      .split(/\r?\n/)
      .every((line) => /^(?:[0-9a-f]{2}){32,}$/i.test(line))
  )
    throw new Error('not 32 bytes or more in hex');
  if (kind !== 'certificate' && kind !== 'anchors') return open;
  const certificates = parseCertificates(text);
  if (certificates.length === 0) throw new Error('it holds no certificate');
  const looked = kind === 'certificate' ? certificates.slice(0, 1) : certificates;
  const lives = looked.flatMap((each) => expiryFinding(key, each, now));
  // Of several anchors one that is over is a leftover; all of them, and nobody is trusted.
  const isLeft = kind === 'anchors' && looked.some(({ notAfter }) => notAfter > now);
  const findings = isLeft ? lives.map((each) => ({ ...each, level: 'warning' as const })) : lives;
  const beside = kind === 'certificate' ? keyBeside(file, files) : undefined;
  return [...findings, ...(beside ? checkPair(beside, certificates[0]?.spkiDer) : [])];
}

function checkPair({ key, path }: NamedFile, spkiDer: Uint8Array | undefined): ConfigFinding[] {
  let spki: Buffer;
  try {
    spki = createPublicKey(createPrivateKey(readFileSync(path))).export({ type: 'spki', format: 'der' });
  } catch {
    return []; // said of the key's own file
  }
  return spkiDer && spki.equals(spkiDer)
    ? []
    : [{ level: 'error', key, message: `${path} is not the key of the certificate beside it` }];
}

function checkStateFolder({ key, path }: NamedFile): ConfigFinding[] {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  if (!statSync(existing).isDirectory()) throw new Error(`${existing} is no folder`);
  accessSync(existing, constants.W_OK | constants.X_OK);
  return existing === path ? permissionFinding(key, statSync(path).mode & 0o707, true) : [];
}

/** What it is certified as by itself: the names, and the pair that it had renewed. */
function checkIdentity({ identity, service, trustDomain }: CommonConfig, now: Date): ConfigFinding[] {
  const findings: ConfigFinding[] = [];
  const say = (level: ConfigFinding['level'], key: string, message: string) => findings.push({ level, key, message });
  try {
    const [leaf] = parseCertificates(readFileSync(identity.certificateFile, 'utf8'));
    const own = `spiffe://${trustDomain}/service/${service}`;
    if (leaf && leaf.sanUris.join() !== own)
      say('error', 'identity.certificateFile', `it names ${leaf.sanUris.join() || 'nobody'}, not ${own}`);
  } catch {
    return []; // said of the file itself
  }
  if (identity.renewal !== 'self' || identity.stateDirectory === undefined) return findings;
  const file = renewedIdentityFile(identity.stateDirectory);
  if (!existsSync(file)) return findings;
  try {
    const { fits, chain } = parseIdentity(readFileSync(file, 'utf8'));
    if (!fits || !chain[0])
      say('warning', 'identity.stateDirectory', `${file}: key and certificate do not belong together; it is not used`);
    else
      findings.push(
        ...expiryFinding('identity.stateDirectory', chain[0], now).map((each) => ({
          ...each,
          level: 'warning' as const,
        })),
      );
    findings.push(...permissionFinding('identity.stateDirectory', statSync(file).mode, true));
  } catch (error) {
    say('warning', 'identity.stateDirectory', `${file}: ${(error as Error).message}; it is not used`);
  }
  return findings;
}
