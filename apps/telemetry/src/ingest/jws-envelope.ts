/** Reads a message that is a JWS (RFC 7515), compact or flattened: its payload is the JSON of a single message, signed as it was sent. */
import { type JsonNode, scanJson } from '@outrider/canonicalization';
import { type ParsedJws, parseFlattenedJws, parseJws } from '@outrider/crypto';
import { Thumbprint } from '@outrider/ids';
import { claimsOfJson, type Envelope, type Unreadable, unreadable } from './envelope.js';
import { LIMITS, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES } from './limits.js';

const MEMBERS = new Set(['payload', 'protected', 'header', 'signature']);
const NAMES_OF_KEY = ['kid', 'x5t#S256'];

/**
 * @param bytes the compact serialization alone
 * @throws DomainError `request.malformed`, `request.too_large`
 */
export function readCompact(bytes: Uint8Array): Envelope | Unreadable {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return readJws(parseJws(text, MAX_BODY_BYTES), bytes);
}

/** @throws DomainError `request.malformed` */
export function readFlattened(node: JsonNode): Envelope | Unreadable {
  const misfit = checkMembers(node);
  if (misfit) return unreadable(misfit, null);
  const text = (name: string) => node.member(name)!.string()!;
  const header = node.member('header')?.value() as Record<string, unknown> | undefined;
  const parts = { protected: text('protected'), payload: text('payload'), signature: text('signature') };
  return readJws(parseFlattenedJws(header ? { ...parts, header } : parts), node.raw);
}

function checkMembers(node: JsonNode): string | undefined {
  if (node.kind !== 'object') return 'a flattened JWS is an object';
  if (node.members().some(({ name }) => !MEMBERS.has(name))) {
    return 'a flattened JWS has payload, protected, header and signature alone';
  }
  for (const name of ['payload', 'protected', 'signature']) {
    if (node.member(name)?.kind !== 'string') return `${name}: a string in base64url is required`;
  }
  const header = node.member('header');
  return header && header.kind !== 'object' ? 'header: an object is required' : undefined;
}

function readJws(jws: ParsedJws, bytes: Uint8Array): Envelope | Unreadable {
  if (jws.payload.length > MAX_PAYLOAD_BYTES) return unreadable(`payload: more than ${MAX_PAYLOAD_BYTES} bytes`, null);
  const { root } = scanJson(jws.payload, LIMITS);
  if (root.kind !== 'object') return unreadable('payload: an object is required', null);
  // A signed batch has a context of its own, which a JWS's typ does not say: it is read as a message, and is none.
  const claims = { ...claimsOfJson(root), batchOf: undefined };
  const names = NAMES_OF_KEY.map((name) => jws.header[name]).filter((value) => value !== undefined);
  const kid = Thumbprint.optional().safeParse(names[0]);
  if (!kid.success) return unreadable('kid: not a thumbprint (x5t#S256)', claims.seq);
  if (names.some((name) => name !== names[0])) return unreadable('kid and x5t#S256 name two certificates', claims.seq);
  return { format: 'jws', ...claims, kid: kid.data, jws, payload: root, bytes };
}
