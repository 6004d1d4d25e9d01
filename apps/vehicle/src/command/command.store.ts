/** What a vehicle remembers of commands: taken once, answered always, across crashes. */
import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../agent/state-database.store.js';
import type { Command, Counter, Done, OutcomeResult, OwnNonce } from './command.js';

export interface StoredCommand {
  readonly id: string;
  readonly jws: string;
  readonly name: string;
  /** Null while it is being carried out, and after a crash in the midst of that. */
  readonly done: string | null;
  /** Null until what it led to is signed. */
  readonly outcome: string | null;
  readonly result: OutcomeResult | null;
}

export interface UndeliveredOutcome {
  readonly id: string;
  readonly outcome: string;
  readonly result: string;
}

export class CommandStore {
  constructor(private readonly database: DatabaseSync) {}

  find(id: string): StoredCommand | undefined {
    return this.database.prepare('SELECT id, jws, name, done, outcome, result FROM command WHERE id = ?').get(id) as
      | StoredCommand
      | undefined;
  }

  last(): Counter | undefined {
    return this.database.prepare('SELECT epoch, counter FROM command_counter').get() as Counter | undefined;
  }

  nonce(id: string): OwnNonce | undefined {
    const row = this.database.prepare('SELECT nonce, made_at FROM command_nonce WHERE command_id = ?').get(id);
    if (!row) return undefined;
    const { nonce, made_at } = row as { nonce: string; made_at: number };
    return { nonce, madeAt: new Date(made_at) };
  }

  /** Durable before it is sent: after a crash the same nonce gets the same command, another one would be refused. */
  saveNonce(id: string, nonce: string, nowMs: number): void {
    transaction(this.database, () => {
      this.database.prepare('DELETE FROM command_nonce WHERE made_at < ?').run(nowMs - 86_400_000);
      this.database
        .prepare('INSERT INTO command_nonce (command_id, nonce, made_at) VALUES (?, ?, ?)')
        .run(id, nonce, nowMs);
    });
  }

  /** The mark before execution, with the counter: from here on the command is never begun again. */
  begin(command: Command, jws: string, nowMs: number): void {
    transaction(this.database, () => {
      this.database
        .prepare('INSERT INTO command (id, jws, name, started_at) VALUES (?, ?, ?, ?)')
        .run(command.command_id, jws, command.name, nowMs);
      this.database
        .prepare('INSERT OR REPLACE INTO command_counter (one, epoch, counter) VALUES (1, ?, ?)')
        .run(command.epoch, command.counter);
      this.database.prepare('DELETE FROM command_nonce WHERE command_id = ?').run(command.command_id);
    });
  }

  /** What it led to, together with what it changed on the vehicle: from here on a crash only makes its outcome late. */
  finish(id: string, done: Done, effects: Readonly<Record<string, string>>): void {
    transaction(this.database, () => {
      this.database
        .prepare('UPDATE command SET done = ?, result = ? WHERE id = ?')
        .run(JSON.stringify(done), done.result, id);
      const effect = this.database.prepare('INSERT OR REPLACE INTO effect (name, value) VALUES (?, ?)');
      for (const [name, value] of Object.entries(effects)) effect.run(name, value);
    });
  }

  /** The outcome, signed: the same bytes for ever. */
  answered(id: string, outcome: string): void {
    this.database.prepare('UPDATE command SET outcome = ? WHERE id = ?').run(outcome, id);
  }

  /** A command that was refused for good reasons of its own: known from now on, without moving the counter. */
  refused(id: string, jws: string, outcome: string, nowMs: number): void {
    this.database
      .prepare("INSERT INTO command (id, jws, name, started_at, outcome, result) VALUES (?, ?, '', ?, ?, 'refused')")
      .run(id, jws, nowMs, outcome);
  }

  /** Begun and never finished: only a crash leaves these. */
  interrupted(): readonly StoredCommand[] {
    return this.database
      .prepare(
        'SELECT id, jws, name, done, outcome, result FROM command WHERE outcome IS NULL ORDER BY started_at, rowid',
      )
      .all() as unknown as StoredCommand[];
  }

  undelivered(): readonly UndeliveredOutcome[] {
    return this.database
      .prepare(
        'SELECT id, outcome, result FROM command WHERE delivered = 0 AND outcome IS NOT NULL ORDER BY started_at, rowid',
      )
      .all() as unknown as UndeliveredOutcome[];
  }

  delivered(id: string): void {
    this.database.prepare('UPDATE command SET delivered = 1 WHERE id = ?').run(id);
  }

  affected(name: string, value: string): void {
    this.database.prepare('INSERT OR REPLACE INTO effect (name, value) VALUES (?, ?)').run(name, value);
  }

  effect(name: string): string | undefined {
    const row = this.database.prepare('SELECT value FROM effect WHERE name = ?').get(name);
    return (row as { value: string } | undefined)?.value;
  }
}
