/** What an operator asks: its shape, and the queued command it makes. */
import { createHash } from 'node:crypto';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { type Catalogue, type CommandKind, checkCommand, requireRight } from '../catalogue/catalogue.js';
import type { Command, Evidence, RequestedAs } from '../command/command.js';

/** How far ahead a command may be sent for. */
const MAX_AHEAD_MS = 7 * 86_400_000;

/** `expires_in`, `timeout`: seconds. `not_before`: handed out no earlier; `expires_in` counts from there. */
export const CommandWords = {
  name: z.string().min(1).max(64),
  parameters: z.record(z.string(), z.unknown()).optional(),
  expires_in: z.int().min(1).max(604_800).optional(),
  timeout: z.int().min(1).max(3600).optional(),
  not_before: z.iso.datetime({ offset: true }).optional(),
} as const;
export const SendRequest = z.strictObject(CommandWords);
export type SendRequest = z.infer<typeof SendRequest>;

/** `Idempotency-Key` of the IETF draft: 1 to 255 visible ASCII characters. */
export const IdempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/);

/** Who sends: `op:<uuid>`, what policies may know of it, and what its token says and lets it do. */
export interface Requester {
  readonly subject: string;
  readonly attributes: RequestedAs;
  readonly scopes: readonly string[];
  readonly evidence: Evidence;
  /** When its token ends. */
  readonly until: Date;
}

export interface SendDefaults {
  readonly defaultExpirySeconds: number;
  readonly defaultTimeoutSeconds: number;
}

/** What was asked, held against the catalogue and the sender's rights: the same for one vehicle and for many. */
export interface CheckedWords {
  readonly kind: CommandKind;
  readonly parameters: Record<string, unknown>;
  readonly notBefore: Date | null;
  readonly expirySeconds: number;
  readonly timeoutSeconds: number;
}

/**
 * @throws DomainError `command.unknown_name`, `command.parameters_invalid`, `auth.scope_insufficient`, `auth.role_insufficient`,
 * `request.invalid` for a time too far ahead
 */
export function checkWords(
  request: SendRequest,
  catalogue: Catalogue,
  { attributes: { roles }, scopes }: Pick<Requester, 'attributes' | 'scopes'>,
  defaults: SendDefaults,
  now: Date,
): CheckedWords {
  const known = catalogue.get(request.name);
  if (known) requireRight(known, { roles, scopes });
  const { kind, parameters } = checkCommand(catalogue, request.name, request.parameters);
  const notBefore = request.not_before === undefined ? undefined : new Date(request.not_before);
  if (notBefore && notBefore.getTime() - now.getTime() > MAX_AHEAD_MS)
    throw new DomainError('request.invalid', { detail: 'not_before: at most 7 days ahead' });
  return {
    kind,
    parameters,
    notBefore: notBefore && notBefore > now ? notBefore : null,
    expirySeconds: request.expires_in ?? kind.expirySeconds ?? defaults.defaultExpirySeconds,
    timeoutSeconds: request.timeout ?? kind.timeoutSeconds ?? defaults.defaultTimeoutSeconds,
  };
}

export interface SendContext {
  readonly id: CommandId;
  readonly deviceId: DeviceId;
  readonly requestedBy: string;
  readonly requestedAs: RequestedAs;
  readonly batchId: string | null;
  readonly now: Date;
}

export function queueCommand(words: CheckedWords, context: SendContext): Command {
  const { kind, parameters, notBefore, expirySeconds, timeoutSeconds } = words;
  const { now, ...rest } = context;
  const from = notBefore && notBefore > now ? notBefore : now;
  return {
    ...rest,
    name: kind.name,
    parameters,
    critical: kind.critical,
    state: 'queued',
    createdAt: now,
    notBefore,
    expiresAt: new Date(from.getTime() + expirySeconds * 1000),
    timeoutSeconds,
    nonce: null,
    jws: null,
    releasedAt: null,
    resolvedAt: null,
    reason: null,
  };
}

/** Two requests are the same when what they are sent to (a route, a device) and their body's bytes are; hex SHA-256. */
export function requestFingerprint(target: string, body: Uint8Array): string {
  return createHash('sha256').update(target).update('\0').update(body).digest('hex');
}
