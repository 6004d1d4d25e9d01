/** Decides whether an outcome is the vehicle's word on this command: signed by its key, over the hash of exactly what was released. */
import { constantTimeEqual, JWS_TYP, parseJws, type VerificationKey, verifyJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { CommandId, DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import type { Command, OutcomeState } from '../command/command.js';
import type { Counter } from '../signing/command-payload.js';
import { requestHash } from '../signing/signed-form.js';

export const MAX_OUTCOME_BYTES = 32_768;

/** `time`: seconds since the epoch by the vehicle's clock. */
export const OutcomePayload = z.strictObject({
  command_id: CommandId,
  device_id: DeviceId,
  request_hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  result: z.enum(['succeeded', 'failed', 'refused', 'uncertain']),
  detail: z.string().max(1000).optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  time: z.number().min(0).max(99_999_999_999),
});
export type OutcomePayload = z.infer<typeof OutcomePayload>;

/** The limit of an epoch leaves room for the next one. */
const LastCounter = z.object({
  last: z.strictObject({
    epoch: z.int().min(0).max(1_000_000_000),
    counter: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  }),
});

/** The certificate that the outcome says signed it. Attacker-controlled until the signature holds. Throws `command.outcome_invalid`. */
export function signerOf(compact: string): Thumbprint {
  const kid = Thumbprint.safeParse(parse(compact).header.kid);
  if (!kid.success) throw invalid('kid is no thumbprint');
  return kid.data;
}

/** The verified outcome. `key` is that of the device's certificate `kid`. Throws `command.outcome_invalid`. */
export function verifyOutcome(compact: string, key: VerificationKey, command: Command): OutcomePayload {
  const parsed = parse(compact);
  const verdict = verifyJws(parsed, key, { typ: JWS_TYP.outcome, allowedHeaders: ['kid'] });
  if (!verdict.ok) throw invalid(verdict.reason);
  const payload = OutcomePayload.safeParse(parseJson(parsed.payload));
  if (!payload.success) throw invalid('the payload does not fit its schema', payload.error);
  const { command_id, device_id, request_hash, detail, data } = payload.data;
  if (![detail, data].every(isStorable))
    throw invalid('detail or data holds a NUL or half a surrogate pair, or is nested too deep');
  if (command_id !== command.id || device_id !== command.deviceId) throw invalid('it is for another command or device');
  if (!command.jws || !constantTimeEqual(request_hash, requestHash(command.jws)))
    throw invalid('request_hash is not that of the released command');
  return payload.data;
}

/** `uncertain` is honest: it may have happened. */
export function stateOf(result: OutcomePayload['result']): OutcomeState {
  return result === 'uncertain' ? 'unknown' : result;
}

/** Deeper values are nobody's word, and more than PostgreSQL's stack takes: one of them would fail all that share its commit. */
const MAX_DEPTH = 64;

/** Whether every text in a JSON value is one that PostgreSQL can keep, and it is not too deep. Walked without recursion. */
export function isStorable(value: unknown): boolean {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) return false;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH) return false;
    for (const part of Object.entries(value).flat()) open.push({ value: part, depth: depth + 1 });
  }
  return true;
}

/** What a vehicle that refused a command by its counter says it took last; undefined where it says nothing of the kind. */
export function lastCounterOf({ result, data }: OutcomePayload): Counter | undefined {
  if (result !== 'refused') return undefined;
  const said = LastCounter.safeParse(data);
  return said.success ? said.data.last : undefined;
}

function parse(compact: string) {
  try {
    return parseJws(compact, MAX_OUTCOME_BYTES);
  } catch (cause) {
    throw invalid('not a compact JWS', cause);
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('the payload is not JSON', cause);
  }
}

function invalid(detail: string, cause?: unknown): DomainError {
  return new DomainError('command.outcome_invalid', { detail, cause });
}
