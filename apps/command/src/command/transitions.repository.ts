import { Injectable } from '@nestjs/common';
import { commandChanged, deliveryOffered } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { afterCommit, Backlogs, Outbox, outboxMessage, outboxParameters } from '@outrider/platform/postgres';
import { Metrics } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { OPEN, type Transition } from './command.js';

/** Writes each command over the state it was read in and no other; history and what waits behind it in the same statement. */
const SAVE = `
  WITH new AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, "from" text, state text, nonce text, jws text,
      released_at timestamptz, resolved_at timestamptz, reason text)
  ), changed AS (
    UPDATE commands c SET state = n.state, nonce = n.nonce, jws = n.jws, released_at = n.released_at,
      resolved_at = n.resolved_at, reason = n.reason
    FROM new n WHERE c.id = n.id AND c.state = n."from" RETURNING c.id
  ), history AS (
    INSERT INTO command_history (command_id, state, at, reason, policies, policy_version, evidence)
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS h (command_id uuid, state text, at timestamptz, reason text,
      policies text[], policy_version bigint, evidence jsonb)
  ), told AS (
    INSERT INTO outbox (subject, payload, traceparent) SELECT s, p, $8 FROM unnest($6::text[], $7::text[]) AS t (s, p)
  )
  SELECT (SELECT count(*)::int FROM changed) AS changed,
    (SELECT coalesce(json_agg(json_build_array(d.id, next.id)), '[]') FROM unnest($3::text[]) AS d (id), LATERAL (
       SELECT id FROM commands WHERE device_id = d.id AND state = ANY($4) AND id <> ALL($5::uuid[])
       ORDER BY position LIMIT 1) AS next) AS waiting`;

/** Every change of a command after it was accepted. */
@Injectable()
export class Transitions {
  private readonly kick = () => this.outbox.kick();
  private readonly changed;

  constructor(
    private readonly outbox: Outbox,
    private readonly nats: Nats,
    backlogs: Backlogs,
    metrics: Metrics,
  ) {
    this.changed = metrics.counter('outrider_command_transitions_total', 'Commands that came into a state.', [
      'command',
      'state',
    ]);
    backlogs.watch(
      'commands',
      `SELECT created_at AS since FROM commands WHERE state IN ('queued', 'offered', 'challenged') ORDER BY expires_at`,
    );
    backlogs.watch(
      'command_batches',
      `SELECT created_at AS since FROM batches WHERE state = 'running' ORDER BY position`,
    );
  }

  /**
   * Saves changes of any number of commands, in order, each with its history and its event. A command that left the queue gives way: the
   * device's connection hears that the next one is there. Throws `command.state_conflict` when one is not in the state it was read in.
   */
  async save(tx: EntityManager, transitions: readonly Transition[]): Promise<void> {
    if (transitions.length === 0) return;
    const rows = new Map<CommandId, ReturnType<typeof rowOf>>();
    for (const transition of transitions) {
      const { id } = transition.command;
      rows.set(id, rowOf(transition, rows.get(id)?.from));
    }
    const left = transitions.filter(({ command }) => !OPEN.includes(command.state));
    const [saved] = await tx.query<{ changed: number; waiting: [DeviceId, CommandId][] }[]>(SAVE, [
      JSON.stringify([...rows.values()]),
      JSON.stringify(transitions.map(historyOf)),
      [...new Set(left.map(({ command }) => command.deviceId))],
      OPEN,
      left.map(({ command }) => command.id),
      ...outboxParameters(transitions.map(eventOf)),
    ]);
    if (saved?.changed !== rows.size)
      throw new DomainError('command.state_conflict', { detail: 'the command changed meanwhile' });
    afterCommit(tx, this.kick);
    afterCommit(tx, () => {
      for (const { command } of transitions) this.changed.inc({ command: command.name, state: command.state });
    });
    for (const [deviceId, commandId] of saved.waiting)
      afterCommit(tx, () => this.nats.publish(deliveryOffered, { commandId }, deviceId));
  }
}

function rowOf({ command, from }: Transition, first: string = from) {
  const { id, state, nonce, jws, releasedAt, resolvedAt, reason } = command;
  return { id, from: first, state, nonce, jws, released_at: releasedAt, resolved_at: resolvedAt, reason };
}

function historyOf({ command, at, reason, basis, evidence }: Transition) {
  const { id, state } = command;
  const { policies, version } = basis ?? {};
  return { command_id: id, state, at, reason, policies, policy_version: version, evidence };
}

function eventOf({ command, at, reason }: Transition) {
  const { id: commandId, deviceId, name, state } = command;
  const said = { commandId, deviceId, name, state, at: at.toISOString(), ...(reason ? { reason } : {}) };
  return outboxMessage(commandChanged, said, deviceId);
}
