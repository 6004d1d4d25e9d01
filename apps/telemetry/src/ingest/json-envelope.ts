/** Reads the envelope of a JSON message, `{payload, signature, kid?}`: which bytes are signed, by what signature, under whose certificate. */
import type { JsonNode } from '@outrider/canonicalization';
import { Thumbprint } from '@outrider/ids';
import { claimedSeq, claimsOfJson, type Envelope, type Unreadable, unreadable } from './envelope.js';
import { readFlattened } from './jws-envelope.js';
import { MAX_PAYLOAD_BYTES } from './limits.js';

/** Hex of the longest signature taken, P-384 in DER. */
const MAX_SIGNATURE_CHARACTERS = 208;
const MEMBERS = new Set(['payload', 'signature', 'kid']);

/** One message of a JSON body, a signed batch among them. A payload that is a string is a flattened JWS's. */
export function readEnvelope(node: JsonNode): Envelope | Unreadable {
  const payload = node.member('payload');
  if (payload?.kind === 'string') return readFlattened(node);
  const misfit = checkShape(node, payload);
  if (misfit) return unreadable(misfit, claimedSeq(payload?.member('seq')?.number()));
  const kid = node.member('kid')?.string();
  const claims = claimsOfJson(payload!);
  if (claims.batchOf === undefined && payload!.end - payload!.start > MAX_PAYLOAD_BYTES) {
    return unreadable(`payload: more than ${MAX_PAYLOAD_BYTES} bytes`, claims.seq);
  }
  return {
    format: 'json',
    ...claims,
    kid: kid === undefined ? undefined : Thumbprint.parse(kid),
    payload: payload!,
    signature: node.member('signature')!.string()!,
  };
}

function checkShape(node: JsonNode, payload: JsonNode | undefined): string | undefined {
  if (node.kind !== 'object') return 'a message is an object {"payload", "signature", "kid"?}';
  if (node.members().some(({ name }) => !MEMBERS.has(name))) return 'a message has payload, signature and kid alone';
  if (payload?.kind !== 'object') return 'payload: an object is required';
  const signature = node.member('signature');
  if (signature?.kind !== 'string') return 'signature: a string in hex or base64url is required';
  if (signature.end - signature.start - 2 > MAX_SIGNATURE_CHARACTERS) return 'signature: too long for any key';
  const kid = node.member('kid');
  if (kid && !Thumbprint.safeParse(kid.string()).success) return 'kid: not a thumbprint (x5t#S256)';
  return undefined;
}
