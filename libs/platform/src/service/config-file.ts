/** What a key of a configuration that names a file says of it: its kind stands in the schema, where `--check-config` and docs/configuration.md read it. */
import { z } from 'zod';

export const FILE_KINDS = {
  secret: 'file with a secret',
  'hex-key': 'file with a key: 32 bytes or more in hex',
  key: 'PEM file with a private key',
  certificate: 'PEM file: leaf first, then its chain',
  anchors: 'PEM file with CA certificates',
  plain: 'file',
  folder: 'folder',
  'state-folder': 'folder that the service writes in',
} as const;
export type FileKind = keyof typeof FILE_KINDS;

/** Those that nobody but the service may read. */
export const SECRET_KINDS: readonly FileKind[] = ['secret', 'hex-key', 'key'];

/** A path of that kind. A relative one counts from the working directory. */
export function configFile(kind: FileKind, description: string) {
  return z.string().min(1).meta({ file: kind, description });
}
