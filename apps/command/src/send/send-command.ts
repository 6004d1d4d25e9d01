/** What an operator asks: its shape, and the queued command it makes. */
import { createHash } from 'node:crypto';
import type { ElevatedScope } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { checkCommand } from '../catalogue/catalogue.js';
import type { Command, RequestedAs } from '../command/command.js';

/** `expires_in`, `timeout`: seconds. */
export const SendRequest = z.strictObject({
  name: z.string().min(1).max(64),
  parameters: z.record(z.string(), z.unknown()).optional(),
  expires_in: z.int().min(1).max(604_800).optional(),
  timeout: z.int().min(1).max(3600).optional(),
});
export type SendRequest = z.infer<typeof SendRequest>;

/** RFC-draft `Idempotency-Key`: 1 to 255 visible ASCII characters. */
export const IdempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/);

export interface SendContext {
  readonly id: CommandId;
  readonly deviceId: DeviceId;
  readonly requestedBy: string;
  readonly requestedAs: RequestedAs;
  readonly now: Date;
  readonly defaultExpirySeconds: number;
  readonly defaultTimeoutSeconds: number;
}

/** What a critical command takes besides `command:send`: nobody holds it for good. */
const CRITICAL_SCOPE: ElevatedScope = 'command:send-critical';

/** @throws DomainError `auth.scope_insufficient` for a critical command without the right to send one */
export function requireRight({ critical }: Pick<Command, 'critical'>, scopes: readonly string[]): void {
  if (critical && !scopes.includes(CRITICAL_SCOPE))
    throw new DomainError('auth.scope_insufficient', { detail: `a critical command needs ${CRITICAL_SCOPE}` });
}

/** Throws `command.unknown_name`, `command.parameters_invalid`. */
export function queueCommand(request: SendRequest, context: SendContext): Command {
  const { kind, parameters } = checkCommand(request.name, request.parameters);
  const { id, deviceId, requestedBy, requestedAs, now } = context;
  return {
    id,
    deviceId,
    name: kind.name,
    parameters,
    critical: kind.critical,
    state: 'queued',
    requestedBy,
    requestedAs,
    createdAt: now,
    expiresAt: new Date(now.getTime() + (request.expires_in ?? context.defaultExpirySeconds) * 1000),
    timeoutSeconds: request.timeout ?? context.defaultTimeoutSeconds,
    nonce: null,
    jws: null,
    releasedAt: null,
    resolvedAt: null,
    reason: null,
  };
}

/** Two requests are the same when device and body bytes are; hex SHA-256. */
export function requestFingerprint(deviceId: DeviceId, body: Uint8Array): string {
  return createHash('sha256').update(deviceId).update('\0').update(body).digest('hex');
}
