import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database, isRetryableConflict } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Registry } from '../device/registry.service.js';
import type { Act } from '../history/history.js';
import { Manufacturers } from '../manufacturer/manufacturers.service.js';
import type { Import, ImportId, LineOutcome } from './import.js';
import { Imports, type Lease } from './imports.repository.js';
import { judgeLines, type SentLine } from './judge-lines.js';
import { type Line, LineSplitter } from './line-splitter.js';
import { type ImportFormat, MAX_LINE_BYTES, readHeader, readLine } from './registration-line.js';

export const MAX_LINES = 250_000;
const BATCH = 250;
/** Lines between two turns of the event loop: enrolment has its share. */
const LINES_A_TURN = 50;
/** A client that sends slowly sees its lines committed all the same. */
const BATCH_AGE_MS = 2_000;
/** Events that may wait to be published before more are added: those of an enrolment stand behind them. */
const OUTBOX_ROOM = 1_000;
const OUTBOX_WAIT_MS = 30_000;
const TRIES = 3;

/** Takes an import's lines as they come, a transaction a batch: what was committed stays, whatever becomes of the rest. */
@Injectable()
export class ImportRun {
  constructor(
    private readonly imports: Imports,
    private readonly registry: Registry,
    private readonly manufacturers: Manufacturers,
    private readonly database: Database,
  ) {}

  /** Errors: those of `Imports.begin`, of the header and of the body; `request.too_large` beyond the last line that is taken. */
  async run(importId: ImportId, format: ImportFormat, body: AsyncIterable<Uint8Array>, who: string): Promise<Import> {
    const lease = await this.imports.begin(importId, format, who);
    let complete = false;
    try {
      await this.takeAll(lease, format, body, { who, why: `import ${importId}` });
      complete = true;
    } finally {
      await this.imports.finish(lease, complete);
    }
    return this.imports.find(importId);
  }

  private async takeAll(lease: Lease, format: ImportFormat, body: AsyncIterable<Uint8Array>, act: Act): Promise<void> {
    let columns: readonly string[] | undefined = format === 'csv' ? undefined : [];
    let batch: Line[] = [];
    let begun = Date.now();
    const flush = async () => {
      await this.takeBatch(lease, format, columns ?? [], batch, act);
      batch = [];
      begun = Date.now();
    };
    for await (const line of linesOf(body)) {
      if (line.number > MAX_LINES) {
        await flush();
        throw new DomainError('request.too_large', { detail: `an import has at most ${MAX_LINES} lines` });
      }
      if (columns === undefined) {
        columns = readHeader(line);
        await this.imports.setHeader(lease, columns);
        continue;
      }
      batch.push(line);
      if (batch.length === BATCH || Date.now() - begun > BATCH_AGE_MS) await flush();
    }
    await flush();
  }

  private async takeBatch(
    lease: Lease,
    format: ImportFormat,
    columns: readonly string[],
    lines: readonly Line[],
    act: Act,
  ): Promise<void> {
    if (lines.length === 0) return;
    await this.outboxRoom();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.database.transaction((tx) => this.store(tx, lease, format, columns, lines, act));
      } catch (error) {
        if (!isRetryableConflict(error) || attempt === TRIES) throw error;
      }
    }
  }

  private async store(
    tx: EntityManager,
    lease: Lease,
    format: ImportFormat,
    columns: readonly string[],
    lines: readonly Line[],
    act: Act,
  ): Promise<void> {
    await this.imports.renew(tx, lease);
    const numbers = lines.map(({ number }) => number);
    const { fresh, changed, same } = judgeLines(lines, await this.imports.handled(tx, lease.importId, numbers));
    await this.imports.setChanged(tx, lease.importId, changed, same);
    await this.imports.record(tx, lease.importId, await this.register(tx, fresh, format, columns, act));
  }

  private async register(
    tx: EntityManager,
    fresh: readonly SentLine[],
    format: ImportFormat,
    columns: readonly string[],
    act: Act,
  ): Promise<LineOutcome[]> {
    const known = await this.manufacturers.names(tx);
    const outcomes: LineOutcome[] = [];
    const good: { sent: SentLine; registration: Parameters<Registry['registerIn']>[1][number] }[] = [];
    for (const [i, sent] of fresh.entries()) {
      if (i % LINES_A_TURN === LINES_A_TURN - 1) await turn();
      const { sha256, line } = sent;
      const read = readLine(line, format, columns);
      if (!read.ok) {
        outcomes.push({ line: line.number, sha256, status: 'invalid', code: read.code, detail: read.detail });
      } else if (known.has(read.registration.manufacturer)) {
        good.push({ sent, registration: read.registration });
      } else {
        const { device_id: deviceId, manufacturer } = read.registration;
        const code = 'provisioning.manufacturer_not_found';
        outcomes.push({ line: line.number, sha256, status: 'invalid', deviceId, code, detail: manufacturer });
      }
    }
    const registrations = good.map(({ registration }) => registration);
    const results = await this.registry.registerIn(tx, registrations, act, new Date());
    for (const [i, { sent }] of good.entries()) {
      const result = results[i];
      if (!result) throw new Error('a registration without a result');
      const about = { line: sent.line.number, sha256: sent.sha256, deviceId: registrations[i]?.device_id };
      outcomes.push(
        result.status === 409
          ? { ...about, status: 'conflict', code: result.code }
          : { ...about, status: result.status === 201 ? 'created' : 'existing' },
      );
    }
    return outcomes;
  }

  /** An event that NATS has not taken yet is one that an enrolment's waits for. Errors: `service.unavailable`. */
  private async outboxRoom(): Promise<void> {
    for (const end = Date.now() + OUTBOX_WAIT_MS; ; await sleep(50)) {
      const [waiting] = await this.database.query<{ full: boolean }>(
        'SELECT count(*) > $1::integer AS "full" FROM (SELECT 1 FROM outbox LIMIT $1::integer + 1) AS waiting',
        [OUTBOX_ROOM],
      );
      if (!waiting?.full) return;
      if (Date.now() > end) {
        throw new DomainError('service.unavailable', { detail: 'events cannot be published', retryAfterSeconds: 10 });
      }
    }
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void> {
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  for await (const chunk of body) yield* splitter.push(chunk);
  yield* splitter.end();
}
