import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import type { KeptDelivery, KeptSegment } from './kept-log.js';
import { LogEvidenceRepository } from './log-evidence.repository.js';
import type { TimeRange } from './range.js';
import type { StoredMessage } from './stored-message.js';

export type LogItem =
  | { readonly delivery: KeptDelivery }
  | { readonly segment: KeptSegment }
  | { readonly record: StoredMessage };

/** What offline logs brought in a range, as it is proven: each delivery, its segments in order, each with its records behind it. */
@Injectable()
export class LogEvidence {
  constructor(private readonly kept: LogEvidenceRepository) {}

  /** Records that no delivery holds come last. @throws DomainError `service.unavailable` for a PostgreSQL that is away */
  async *items(deviceId: DeviceId, range: TimeRange): AsyncGenerator<LogItem, void, undefined> {
    for await (const delivery of everyOf<KeptDelivery>((after) => this.kept.deliveries(deviceId, range, after))) {
      yield { delivery };
      yield* this.ofDelivery(deviceId, delivery);
    }
    for await (const record of everyOf<StoredMessage>((after) => this.kept.strays(deviceId, range, after)))
      yield { record };
  }

  private async *ofDelivery(deviceId: DeviceId, delivery: KeptDelivery): AsyncGenerator<LogItem, void, undefined> {
    const segments = everyOf<KeptSegment>((after) => this.kept.segments(deviceId, delivery, after?.segment ?? '0'));
    let next = await segments.next();
    for await (const record of everyOf<StoredMessage>((after) => this.kept.records(deviceId, delivery, after))) {
      for (; !next.done && Number(next.value.segment) <= Number(record.segment); next = await segments.next())
        yield { segment: next.value };
      yield { record };
    }
    for (; !next.done; next = await segments.next()) yield { segment: next.value };
  }
}

/** Row by row, a page at a time, until one is empty. */
async function* everyOf<Row>(page: (after: Row | undefined) => Promise<readonly Row[]>): AsyncGenerator<Row, void> {
  let rows = await page(undefined);
  while (rows.length > 0) {
    yield* rows;
    rows = await page(rows.at(-1));
  }
}
