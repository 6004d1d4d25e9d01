/** A vehicle's durable state: one SQLite file, one process at a time, every commit on the disk before it counts. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Each entry takes the file from version n to n + 1; entries are never edited, only added. */
const MIGRATIONS = [
  `
  CREATE TABLE stream (
    name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL CHECK (next_seq >= 1)
  ) STRICT;
  CREATE TABLE record (
    stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL,
    payload TEXT NOT NULL, signature TEXT NOT NULL, thumbprint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'held', 'refused')),
    verdict TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, epoch, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX record_queued ON record (stream, epoch, seq) WHERE state = 'queued';
  CREATE INDEX record_sent ON record (ts) WHERE state = 'sent';
  CREATE TABLE command_counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, counter INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE command (
    id TEXT PRIMARY KEY, jws TEXT NOT NULL, name TEXT NOT NULL, started_at INTEGER NOT NULL,
    outcome TEXT, result TEXT, delivered INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE command_nonce (command_id TEXT PRIMARY KEY, nonce TEXT NOT NULL, made_at INTEGER NOT NULL) STRICT;
  CREATE TABLE effect (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `,
  // What a command led to, as JSON, before its outcome is signed.
  'ALTER TABLE command ADD COLUMN done TEXT',
  // The sealed log, and the orders for it.
  `
  CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;
  CREATE TABLE log_segment (
    segment INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL,
    head TEXT NOT NULL, sha256 TEXT NOT NULL, signature TEXT NOT NULL, thumbprint TEXT NOT NULL,
    sealed_at INTEGER NOT NULL, announced INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE fetch_order (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, first INTEGER, last INTEGER, attempts INTEGER NOT NULL DEFAULT 0, ended TEXT
  ) STRICT;
  CREATE INDEX record_held ON record (stream, epoch, seq) WHERE state = 'held';
  `,
];

/**
 * Opens `directory/agent.db`, making it when it is not there. WAL with synchronous=FULL: a commit is on the disk when it returns.
 * The file stays locked: a second agent on the same state would hand out the same sequence numbers, and is refused here.
 */
export function openStateDatabase(directory: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'agent.db');
  const database = new DatabaseSync(file);
  chmodSync(file, 0o600);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    migrate(database);
  } catch (cause) {
    database.close();
    if (/locked/.test(String(cause)))
      throw new Error(`${directory}: another agent is running on this state`, { cause });
    throw cause;
  }
  return database;
}

/** Runs `work` in one transaction; what it throws rolls back and is thrown on. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function migrate(database: DatabaseSync): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > MIGRATIONS.length) throw new Error('agent.db was written by a newer agent');
  for (let index = version; index < MIGRATIONS.length; index += 1) {
    transaction(database, () => database.exec(`${MIGRATIONS[index]}; PRAGMA user_version = ${index + 1};`));
  }
}
