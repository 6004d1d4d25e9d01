/** A command as operators see it. */
import type { Command } from '../command/command.js';

export interface OutcomeView {
  readonly result: string;
  readonly detail?: string;
  readonly data?: unknown;
  readonly executed_at: string;
  readonly received_at: string;
  /** Thumbprint of the vehicle's certificate that signed it. */
  readonly certificate: string;
  readonly jws: string;
}

export function commandView(command: Command) {
  const { id, deviceId, name, parameters, critical, state, requestedBy, reason, timeoutSeconds } = command;
  return {
    id,
    device_id: deviceId,
    name,
    parameters,
    critical,
    state,
    ...(reason ? { reason } : {}),
    requested_by: requestedBy,
    ...(command.batchId ? { batch: command.batchId } : {}),
    created_at: command.createdAt.toISOString(),
    ...(command.notBefore ? { not_before: command.notBefore.toISOString() } : {}),
    expires_at: command.expiresAt.toISOString(),
    timeout: timeoutSeconds,
    ...(command.releasedAt ? { released_at: command.releasedAt.toISOString() } : {}),
  };
}
