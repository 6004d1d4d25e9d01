/** All that a command stood on, for auditors: who, by which elevation and policies, whose certificate, the signed words of both sides. */
import { parseJws } from '@outrider/crypto';
import { parseCertificate } from '@outrider/x509';
import type { BatchLine } from '../batch/batches.repository.js';
import type { Command } from '../command/command.js';
import type { HistoryLine } from '../command/commands.repository.js';
import { commandView, type OutcomeView } from '../send/command-view.js';

const MAX_JWS_BYTES = 65_536;

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
    ...(command.jws ? { signed_command: { jws: command.jws, ...signedBy(command.jws) } } : {}),
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

/** What our own JWS says: its signer's certificate, and the counter that it was given. */
function signedBy(jws: string) {
  const { header, payload } = parseJws(jws, MAX_JWS_BYTES);
  const { epoch, counter, iat, exp, nonce } = JSON.parse(Buffer.from(payload).toString());
  const [leaf] = header.x5c as string[];
  const { thumbprint, serialNumber, notAfter } = parseCertificate(leaf!);
  return {
    signer: { thumbprint, serial_number: serialNumber, not_after: notAfter.toISOString() },
    epoch,
    counter,
    issued_at: new Date(iat * 1000).toISOString(),
    expires_at: new Date(exp * 1000).toISOString(),
    ...(nonce === undefined ? {} : { nonce }),
  };
}
