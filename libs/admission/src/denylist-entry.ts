/** The shape of one denylist entry, what it names, and how its contribution to the digest is computed. */
import { hash } from 'node:crypto';
import type { ErrorCode } from '@outrider/errors';

export type DenylistKind = 'certificate' | 'serial' | 'key' | 'device' | 'token' | 'network';
export type DenylistMode = 'deny' | 'recovery';

/**
 * One entry. `value`: certificate = thumbprint, serial = `<issuerKeyId>-<serialNumber>`, key = thumbprint of the
 * SubjectPublicKeyInfo, device = device id, token = jti, network = CIDR. `until`: RFC 3339 instant after which the entry
 * says nothing (absent: for ever). `removed`: a tombstone.
 */
export interface DenylistEntry {
  readonly kind: DenylistKind;
  readonly value: string;
  readonly mode: DenylistMode;
  readonly reason: string;
  readonly until?: string | undefined;
  readonly sequence: number;
  readonly removed?: true | undefined;
}

/** Whom a request or a connection comes from, in the words of the denylist. `tokenThumbprint`: the certificate a token was issued to. */
export interface DenylistSubject {
  readonly thumbprint?: string | undefined;
  readonly serial?: string | undefined;
  readonly keyThumbprint?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly tokenThumbprint?: string | undefined;
  readonly remoteAddress?: string | undefined;
}

/** Identity of an entry in the list, whatever its mode. */
export function entryKey(kind: DenylistKind, value: string): string {
  return `${kind}.${value}`;
}

/** The `serial` value: a serial number is unique with its issuer only (RFC 5280 §4.1.2.2). */
export function serialValue(issuerKeyId: string, serialNumber: string): string {
  return `${issuerKeyId}-${serialNumber}`;
}

/** 32 bytes: SHA-256 over the UTF-8 bytes of `<kind>.<value>.<mode>`, joined by full stops, nothing before or after. */
export function entryHash(kind: DenylistKind, value: string, mode: DenylistMode): Buffer {
  return hash('sha256', `${kind}.${value}.${mode}`, 'buffer');
}

const CODE_OF: Readonly<Record<DenylistKind, ErrorCode>> = {
  certificate: 'denylist.certificate',
  serial: 'denylist.certificate',
  key: 'denylist.key',
  device: 'denylist.device',
  token: 'denylist.token',
  network: 'denylist.network',
};

/** The code a refusal by an entry of this kind carries. */
export function denylistCode(kind: DenylistKind): ErrorCode {
  return CODE_OF[kind];
}
