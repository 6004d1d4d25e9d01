import { Injectable } from '@nestjs/common';
import { commandChanged, deliveryOffered } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { Database, Outbox, outboxMessage, outboxParameters } from '@outrider/platform/postgres';
import { Metrics } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { Command, Evidence, PolicyBasis } from './command.js';

/** A command as it is accepted: what allowed it, and by whose token it came. */
export interface Accepted {
  readonly command: Command;
  readonly basis: PolicyBasis;
  readonly evidence: Evidence;
}

/** The key that a request came with, and the answer that it gives from now on. */
export interface KeyClaim {
  readonly by: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly answer: string;
  readonly at: Date;
}

const CLAIM = `INSERT INTO idempotency_keys (requested_by, key, body_sha256, answer, created_at)
    VALUES ($5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING key`;

/** Key, command, history and event in one statement: all of them, or none where the key is taken. It waits for another's commit on the key. */
const accept = (claim: string) => `
  WITH claimed AS (${claim}), new AS (
    SELECT * FROM jsonb_to_recordset($4::jsonb) AS n (id uuid, device_id text, name text, parameters jsonb,
      critical boolean, requested_by text, requested_as jsonb, created_at timestamptz, expires_at timestamptz,
      not_before timestamptz, batch_id uuid, timeout_seconds integer, policies text[], policy_version bigint,
      evidence jsonb) WHERE EXISTS (SELECT FROM claimed)
  ), commands AS (
    INSERT INTO commands (id, device_id, name, parameters, critical, state, requested_by, requested_as, created_at,
      expires_at, not_before, batch_id, timeout_seconds)
    SELECT id, device_id, name, parameters, critical, 'queued', requested_by, requested_as, created_at, expires_at,
      not_before, batch_id, timeout_seconds FROM new
  ), history AS (
    INSERT INTO command_history (command_id, state, at, policies, policy_version, evidence)
    SELECT id, 'queued', created_at, policies, policy_version, evidence FROM new
  ), events AS (
    INSERT INTO outbox (subject, payload, traceparent)
    SELECT s, p, $3 FROM unnest($1::text[], $2::text[]) AS t (s, p) WHERE EXISTS (SELECT FROM claimed)
  )
  SELECT count(*)::int AS claimed FROM claimed`;

const ACCEPT = accept('SELECT 1');
const ACCEPT_WITH_KEY = accept(CLAIM);

/** Accepts commands; their vehicles' connections hear of them after the commit. */
@Injectable()
export class NewCommands {
  private readonly accepted;

  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly nats: Nats,
    metrics: Metrics,
  ) {
    this.accepted = metrics.counter('outrider_commands_accepted_total', 'Commands accepted to be sent.', ['command']);
  }

  /** One command under its key. False: the key is taken, and nothing happened. */
  async addOnce(accepted: Accepted, { by, key, fingerprint, answer, at }: KeyClaim): Promise<boolean> {
    const parameters = [...parametersOf([accepted]), by, key, fingerprint, answer, at];
    const [row] = await this.database.query<{ claimed: number }>(ACCEPT_WITH_KEY, parameters);
    if (row?.claimed !== 1) return false;
    this.announce([accepted.command]);
    return true;
  }

  /** Any number; the caller announces them after its commit. */
  async addAll(tx: EntityManager, accepted: readonly Accepted[]): Promise<void> {
    if (accepted.length > 0) await tx.query(ACCEPT, parametersOf(accepted));
  }

  /** Once committed: the events go out, and whoever waits looks. A missed word is found by looking again. */
  announce(commands: readonly Pick<Command, 'id' | 'deviceId' | 'name'>[]): void {
    this.outbox.kick();
    for (const { id, deviceId, name } of commands) {
      this.accepted.inc({ command: name });
      this.nats.publish(deliveryOffered, { commandId: id }, deviceId);
    }
  }
}

function parametersOf(accepted: readonly Accepted[]): unknown[] {
  const events = accepted.map(({ command: { id: commandId, deviceId, name, createdAt } }) =>
    outboxMessage(
      commandChanged,
      { commandId, deviceId, name, state: 'queued', at: createdAt.toISOString() },
      deviceId,
    ),
  );
  return [...outboxParameters(events), JSON.stringify(accepted.map(rowOf))];
}

function rowOf({ command, basis, evidence }: Accepted) {
  return {
    id: command.id,
    device_id: command.deviceId,
    name: command.name,
    parameters: command.parameters,
    critical: command.critical,
    requested_by: command.requestedBy,
    requested_as: command.requestedAs,
    created_at: command.createdAt,
    expires_at: command.expiresAt,
    not_before: command.notBefore,
    batch_id: command.batchId,
    timeout_seconds: command.timeoutSeconds,
    policies: basis.policies,
    policy_version: basis.version,
    evidence,
  };
}
