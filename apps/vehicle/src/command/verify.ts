/** Decides whether a command is carried out, answered again from memory, or refused: the checks of docs/protocols/command.md, in its order. */
import { verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type CommandId, type DeviceId, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import { type ChainOptions, OID, type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import { Command, type Counter, type OwnNonce } from './command.js';
import { openCommand, type SignedCommand } from './signed-command.js';

export const MAX_COMMAND_BYTES = 64 * 1024;
/** Signer, its authority, and cross certificates of the root. */
const MAX_X5C = 5;

export type CommandRefusal =
  | 'malformed'
  | 'signer_chain'
  | 'signer_usage'
  | 'signer_name'
  | 'signature'
  | 'wrong_id'
  | 'wrong_device'
  | 'altered'
  | 'expired'
  | 'counter'
  | 'epoch'
  | 'nonce';

/** What the vehicle knows when a command arrives. */
export interface CommandContext {
  readonly now: Date;
  readonly deviceId: DeviceId;
  readonly trustDomain: TrustDomain;
  readonly fleetRoots: readonly ParsedCertificate[];
  /** The id under which it was offered. */
  readonly offeredId: CommandId;
  /** Undefined while no command was ever taken: the first one fixes epoch and counter. */
  readonly last: Counter | undefined;
  /** The nonce that this vehicle made for this id. */
  readonly nonce: OwnNonce | undefined;
  /** The bytes that this id came with before. */
  readonly stored: string | undefined;
  /** Commands that are carried out with a nonce alone, whatever the platform calls them. */
  readonly isCritical: (name: string) => boolean;
}

export type CommandVerdict =
  | { readonly kind: 'carry_out'; readonly command: Command }
  /** Known, the same bytes: the stored outcome is the answer. */
  | { readonly kind: 'again'; readonly command: Command }
  /** `authentic`: the command service did sign this for this vehicle, so the refusal may be remembered under its id. */
  | { readonly kind: 'refuse'; readonly why: CommandRefusal; readonly authentic: boolean; readonly detail: string };

/** `signed`: as it came from the network (`SignedCommand`). Never throws for what is in it. */
export function verifyCommand(signed: SignedCommand, context: CommandContext): CommandVerdict {
  const opened = attempt(() => openCommand(signed, MAX_COMMAND_BYTES));
  if (!opened) return refuse('malformed', 'neither a compact JWS nor a COSE_Sign1');
  const signer = verifySigner(opened.chain, context);
  if ('kind' in signer) return signer;
  const verified = opened.verify(verificationKey(signer.spkiDer));
  if (!verified.ok) return refuse('signature', verified.reason);
  const command = Command.safeParse(attempt(opened.content));
  if (!command.success) return refuse('malformed', command.error.issues[0]?.message ?? 'no command');
  return verifyContent(signed, command.data, context);
}

/** The first of `x5c`, if it is the control CA's command signer; x5c is attacker-controlled until it chains to the fleet root. */
function verifySigner(x5c: unknown, context: CommandContext): ParsedCertificate | CommandVerdict {
  if (!Array.isArray(x5c)) return refuse('signer_chain', 'x5c is no list of certificates');
  if (x5c.length < 2 || x5c.length > MAX_X5C) return refuse('signer_chain', `x5c is not 2 to ${MAX_X5C} certificates`);
  const parsedChain = x5c.map((entry: unknown) => attempt(() => certificateOf(entry)));
  if (!parsedChain.every((each) => each !== undefined)) return refuse('signer_chain', 'x5c holds no certificate');
  const [leaf, ...above] = parsedChain as [ParsedCertificate, ...ParsedCertificate[]];
  if (!above.slice(1).every(isCross))
    return refuse('signer_chain', 'x5c holds more than signer, authority and crosses');
  const chain = chainRefusal(leaf, above, context, 'any');
  if (chain !== undefined) return refuse('signer_chain', chain);
  const eku = OID.outriderCommandSigning;
  const usage = leaf.extendedKeyUsages?.length === 1 ? chainRefusal(leaf, above, context, { eku }) : 'more uses';
  if (usage !== undefined) return refuse('signer_usage', usage);
  const onlyName = leaf.sanDns.length === 0 && leaf.sanIps.length === 0 && leaf.sanOtherForms.length === 0;
  const expected = serviceSpiffeId(context.trustDomain, 'command');
  if (!onlyName || leaf.sanUris.length !== 1 || leaf.sanUris[0] !== expected) {
    return refuse('signer_name', `the signer is not ${expected}`);
  }
  return leaf;
}

/** In JSON base64, in CBOR bytes; text that is no certificate parses as none. */
function certificateOf(entry: unknown): ParsedCertificate | undefined {
  return typeof entry === 'string' || entry instanceof Uint8Array ? parseCertificate(entry) : undefined;
}

/** One root by another's key, during a root rollover: same name, another key. */
function isCross({ subject, issuer, subjectKeyId, authorityKeyId }: ParsedCertificate): boolean {
  const byAnother = authorityKeyId !== undefined && subjectKeyId !== authorityKeyId;
  return byAnother && Buffer.from(subject.der).equals(issuer.der);
}

function chainRefusal(
  leaf: ParsedCertificate,
  above: readonly ParsedCertificate[],
  { fleetRoots, now }: CommandContext,
  purpose: ChainOptions['purpose'],
): string | undefined {
  try {
    validateChain(leaf, above, fleetRoots, { now, purpose, maxIntermediates: above.length });
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
}

function verifyContent(signed: SignedCommand, command: Command, context: CommandContext): CommandVerdict {
  if (command.device_id !== context.deviceId) return refuse('wrong_device', `for ${command.device_id}`);
  if (command.command_id !== context.offeredId) return refuse('wrong_id', 'offered under another id');
  if (context.stored !== undefined) {
    if (context.stored === signed) return { kind: 'again', command };
    // Nothing is remembered under this id a second time.
    return refuse('altered', 'this id came with other bytes before');
  }
  const ours = (why: CommandRefusal, detail: string): CommandVerdict => ({ ...refuse(why, detail), authentic: true });
  if (isExpired(command, context)) return ours('expired', `at ${command.exp}`);
  const { last } = context;
  const known = last !== undefined;
  if (known && (command.epoch < last.epoch || (command.epoch === last.epoch && command.counter <= last.counter))) {
    return ours('counter', `${command.epoch}/${command.counter} after ${last.epoch}/${last.counter}`);
  }
  if (known && command.epoch > last.epoch && command.nonce === undefined) {
    return ours('epoch', 'a higher epoch without a nonce');
  }
  if (command.nonce !== context.nonce?.nonce) return ours('nonce', 'not the nonce of this vehicle');
  if (command.nonce === undefined && context.isCritical(command.name))
    return ours('nonce', 'a critical command without a nonce');
  return { kind: 'carry_out', command };
}

/**
 * By the vehicle's clock; where it asked with a nonce of its own, by the time since then against the command's whole life, so that a clock
 * that is an hour off, either way, keeps no command alive and none away. A clock that went back since then has measured nothing.
 */
function isExpired({ iat, exp, nonce }: Command, { now, nonce: own }: CommandContext): boolean {
  const sinceMs = own !== undefined && nonce === own.nonce ? now.getTime() - own.madeAt.getTime() : -1;
  return sinceMs >= 0 ? sinceMs >= (exp - iat) * 1000 : exp * 1000 <= now.getTime();
}

function refuse(why: CommandRefusal, detail: string): CommandVerdict & { kind: 'refuse' } {
  return { kind: 'refuse', why, authentic: false, detail };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DomainError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
