/** Reads the envelope of one message: which bytes are signed, by what signature, under whose certificate it claims to be. */
import type { JsonNode } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import { Thumbprint } from '@outrider/ids';

/** Of one payload as sent: an accepted record must fit an event of NATS (1 MiB), where JSON text may double in a string. */
export const MAX_PAYLOAD_BYTES = 262_144;
/** Hex of the longest signature taken, P-384 in DER. */
const MAX_SIGNATURE_CHARACTERS = 208;
const MEMBERS = new Set(['payload', 'signature', 'kid']);

/** `deviceId` and `seq` are what the payload says, unverified: for the binding and for naming the message in the answer. */
export interface Envelope {
  readonly payload: JsonNode;
  readonly signature: string;
  readonly kid: Thumbprint | undefined;
  readonly deviceId: string | undefined;
  readonly seq: number | null;
}

/** A message that has not the shape of an envelope, with the seq it seems to carry. */
export interface Unreadable {
  readonly unreadable: DomainError;
  readonly seq: number | null;
}

export function readEnvelope(node: JsonNode): Envelope | Unreadable {
  const payload = node.member('payload');
  const seq = claimedSeq(payload);
  const misfit = checkShape(node, payload);
  if (misfit) return { unreadable: new DomainError('telemetry.invalid', { detail: misfit }), seq };
  const kid = node.member('kid')?.string();
  return {
    payload: payload!,
    signature: node.member('signature')!.string()!,
    kid: kid === undefined ? undefined : Thumbprint.parse(kid),
    deviceId: payload!.member('device_id')?.string(),
    seq,
  };
}

function checkShape(node: JsonNode, payload: JsonNode | undefined): string | undefined {
  if (node.kind !== 'object') return 'a message is an object {"payload", "signature", "kid"?}';
  if (node.members().some(({ name }) => !MEMBERS.has(name))) return 'a message has payload, signature and kid alone';
  if (payload?.kind !== 'object') return 'payload: an object is required';
  if (payload.end - payload.start > MAX_PAYLOAD_BYTES) return `payload: more than ${MAX_PAYLOAD_BYTES} bytes`;
  const signature = node.member('signature');
  if (signature?.kind !== 'string') return 'signature: a string in hex or base64url is required';
  if (signature.end - signature.start - 2 > MAX_SIGNATURE_CHARACTERS) return 'signature: too long for any key';
  const kid = node.member('kid');
  if (kid && !Thumbprint.safeParse(kid.string()).success) return 'kid: not a thumbprint (x5t#S256)';
  return undefined;
}

function claimedSeq(payload: JsonNode | undefined): number | null {
  const seq = payload?.member('seq')?.number();
  return Number.isSafeInteger(seq) ? seq! : null;
}
