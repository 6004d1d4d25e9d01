/** The signed answer to a command: over its id, the hash of its bytes, the result and the time. */
import { JWS_TYP, type KeyAlgorithm } from '@outrider/crypto';
import type { OutcomeResult } from './command.js';
import { requestHash } from './signed-command.js';

export interface Outcome {
  readonly commandId: string;
  readonly deviceId: string;
  /** The signed command that was received. */
  readonly jws: string;
  readonly result: OutcomeResult;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** Seconds since the epoch. */
  readonly time: number;
}

/** The signing input of the outcome's JWS (RFC 7515 §5.1); the signature by the key of the certificate `kid` completes it. */
export function outcomeSigningInput(outcome: Outcome, algorithm: KeyAlgorithm, kid: string): string {
  const { commandId, deviceId, jws, result, detail, data, time } = outcome;
  const header = { alg: algorithm, typ: JWS_TYP.outcome, kid };
  const payload = {
    command_id: commandId,
    device_id: deviceId,
    request_hash: requestHash(jws),
    result,
    detail: detail.slice(0, 256),
    ...(data ? { data } : {}),
    time,
  };
  return `${base64urlJson(header)}.${base64urlJson(payload)}`;
}

function base64urlJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
