/** All that a command stood on, for auditors: who, by which elevation and policies, whose certificate, the signed words of both sides. */
import { COSE_HEADER, decodeCbor, MAX_DEPTH, parseCoseSign1 } from '@outrider/canonicalization';
import { parseJws } from '@outrider/crypto';
import { parseCertificate } from '@outrider/x509';
import { z } from 'zod';
import type { BatchLine } from '../batch/batch.js';
import type { Command, HistoryLine } from '../command/command.js';
import { commandView, type OutcomeView } from '../send/command-view.js';
import { memberOf } from '../signing/signed-form.js';

const MAX_SIGNED_BYTES = 65_536;

const Payload = z.looseObject({
  epoch: z.number(),
  counter: z.number(),
  iat: z.number(),
  exp: z.number(),
  nonce: z.unknown().optional(),
});
const Header = z.looseObject({ x5c: z.tuple([z.string()], z.string()) });
const Chain = z.tuple([z.instanceof(Uint8Array)], z.instanceof(Uint8Array));

export interface Told {
  readonly history: readonly HistoryLine[];
  readonly outcome: OutcomeView | undefined;
  /** Of the batch that it was sent with. */
  readonly batch: readonly BatchLine[] | undefined;
}

export function auditDocument(command: Command, { history, outcome, batch }: Told) {
  return {
    command: commandView(command),
    steps: history.map(stepOf),
    ...(batch ? { batch_steps: batch.map(batchStepOf) } : {}),
    ...(command.jws ? { signed_command: { ...memberOf(command.jws), ...signedBy(command.jws) } } : {}),
    ...(outcome ? { signed_outcome: outcome } : {}),
  };
}

function stepOf({ state, at, reason, policies, policy_version, evidence }: HistoryLine) {
  return {
    state,
    at: at.toISOString(),
    ...(reason ? { reason } : {}),
    ...(policies && policy_version ? { policies, policy_version: Number(policy_version) } : {}),
    ...(evidence ? { evidence } : {}),
  };
}

function batchStepOf({ state, who, reason, at, evidence }: BatchLine) {
  return {
    state,
    at: at.toISOString(),
    ...(who ? { who } : {}),
    ...(reason ? { reason } : {}),
    ...(evidence ? { evidence } : {}),
  };
}

/** What our own signed command says: its signer's certificate, and the counter that it was given. */
function signedBy(signed: string) {
  const { leaf, payload } = partsOf(signed);
  const { epoch, counter, iat, exp, nonce } = payload;
  const { thumbprint, serialNumber, notAfter } = parseCertificate(leaf);
  return {
    signer: { thumbprint, serial_number: serialNumber, not_after: notAfter.toISOString() },
    epoch,
    counter,
    issued_at: new Date(iat * 1000).toISOString(),
    expires_at: new Date(exp * 1000).toISOString(),
    ...(nonce === undefined ? {} : { nonce }),
  };
}

function partsOf(signed: string): { leaf: string | Uint8Array; payload: z.infer<typeof Payload> } {
  const member = memberOf(signed);
  if ('jws' in member) {
    const { header, payload } = parseJws(member.jws, MAX_SIGNED_BYTES);
    const { x5c } = Header.parse(header);
    return { leaf: x5c[0], payload: Payload.parse(JSON.parse(Buffer.from(payload).toString())) };
  }
  const { protectedHeaders, payload } = parseCoseSign1(Buffer.from(member.cose, 'base64url'), MAX_SIGNED_BYTES);
  const [leaf] = Chain.parse(protectedHeaders.get(COSE_HEADER.x5chain));
  const limits = { maxBytes: MAX_SIGNED_BYTES, maxDepth: MAX_DEPTH };
  return { leaf, payload: Payload.parse(decodeCbor(payload, limits)) };
}
