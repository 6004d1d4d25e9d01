/** Takes a TBSCertificate apart and puts it together again, so that a test can spoil one part of it. */
import { readDer } from './der-read.js';
import { contextConstructed, sequence } from './der-write.js';

/** The eight parts of a TBSCertificate, the last as the list of its extensions. */
export interface Parts {
  readonly fields: Uint8Array[];
  readonly extensions: Uint8Array[];
}
export const FIELD = { version: 0, serialNumber: 1, algorithm: 2, issuer: 3, validity: 4, subject: 5, key: 6 } as const;

export function partsOf(tbs: Uint8Array): Parts {
  const children = readDer(tbs).children.map(({ der }) => der);
  const extensions = readDer(children[7] as Uint8Array).children[0]?.children.map(({ der }) => der) ?? [];
  return { fields: children.slice(0, 7), extensions };
}

export const joined = ({ fields, extensions }: Parts, more: Uint8Array[] = []) =>
  sequence(...fields, ...more, contextConstructed(3, sequence(...extensions)));
