/** What a configuration says beyond its form: which keys name files, where the certificates among them stand in their lives, and whom a secret is open to. */
import type { ParsedCertificate } from '@outrider/x509';
import type { FileKind } from './config-file.js';

/** `error`: the service would not start, or not serve. */
export interface ConfigFinding {
  readonly level: 'error' | 'warning';
  /** e.g. `listeners.vehicle.keyFile` */
  readonly key: string;
  readonly message: string;
}

/** A key of a configuration that names a file. */
export interface NamedFile {
  readonly key: string;
  readonly kind: FileKind;
  readonly path: string;
}

/** JSON Schema, as far as it is read here. */
export interface SchemaNode {
  readonly file?: FileKind;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** Every file that `value` names, by what its schema says of its keys. */
export function namedFiles(schema: SchemaNode, value: unknown, key = ''): NamedFile[] {
  if (schema.file !== undefined) return typeof value === 'string' ? [{ key, kind: schema.file, path: value }] : [];
  if (schema.anyOf) return schema.anyOf.flatMap((each) => namedFiles(each, value, key));
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.flatMap((each, i) => namedFiles(items, each, `${key}[${i}]`)) : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const more = schema.additionalProperties;
    const node = schema.properties?.[name] ?? (typeof more === 'object' ? more : undefined);
    return node ? namedFiles(node, member, key === '' ? name : `${key}.${name}`) : [];
  });
}

const DAY_MS = 86_400_000;

/** What there is to say of a certificate's life; a third of it left is what renewal begins at, so less than a quarter is late. */
export function expiryFinding(key: string, certificate: ParsedCertificate, now: Date): ConfigFinding[] {
  const leftMs = certificate.notAfter.getTime() - now.getTime();
  const lifeMs = certificate.notAfter.getTime() - certificate.notBefore.getTime();
  const until = certificate.notAfter.toISOString();
  if (certificate.notBefore > now)
    return [{ level: 'error', key, message: `valid only from ${certificate.notBefore.toISOString()} on` }];
  if (leftMs <= 0) return [{ level: 'error', key, message: `over since ${until}` }];
  if (leftMs >= lifeMs / 4) return [];
  const left = leftMs < 2 * DAY_MS ? `${Math.ceil(leftMs / 3_600_000)} hours` : `${Math.floor(leftMs / DAY_MS)} days`;
  return [{ level: 'warning', key, message: `ends in ${left}, at ${until}` }];
}

/**
 * Whether others than the service may read a secret. A file of somebody else's (as in a Kubernetes Secret) is readable by its group, or
 * not at all.
 */
export function permissionFinding(key: string, mode: number, isOwner: boolean): ConfigFinding[] {
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  if ((mode & 0o007) !== 0)
    return [{ level: 'warning', key, message: `everybody may read it (mode ${shown}): make it 0600` }];
  if (isOwner && (mode & 0o070) !== 0)
    return [{ level: 'warning', key, message: `its group may read it (mode ${shown}): make it 0600` }];
  return [];
}

/** The key of a certificate beside it: same object, same name but for the end. */
export function keyBeside(file: NamedFile, files: readonly NamedFile[]): NamedFile | undefined {
  const wanted = file.key.replace(/certificateFile$/, 'keyFile');
  return files.find(({ key, kind }) => kind === 'key' && key === wanted);
}

/** One line a finding. */
export function inLines(findings: readonly ConfigFinding[]): string {
  return findings.map(({ level, key, message }) => `${level}: ${key}: ${message}\n`).join('');
}
