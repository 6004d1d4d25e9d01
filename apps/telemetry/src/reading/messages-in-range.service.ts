import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import type { Position } from './cursor.js';
import type { TimeRange } from './range.js';
import { startOf } from './range.js';
import { ReadingRepository, type Source } from './reading.repository.js';
import { positionOf, type StoredMessage } from './stored-message.js';

/** A message is 256 KiB at most: a page is what memory holds of a range. */
const PAGE = 100;

/** All records of one device in a range, page by page by their key, in no transaction: it may take hours and holds nothing up. */
@Injectable()
export class MessagesInRange {
  constructor(private readonly messages: ReadingRepository) {}

  /**
   * Ends where the range ends, or where nothing more is there yet.
   * @param after where an earlier reading ended
   * @throws DomainError `service.unavailable` for a PostgreSQL that is away
   */
  async *pages(
    deviceId: DeviceId,
    { from, to }: TimeRange,
    after?: Position | undefined,
    limit = Number.POSITIVE_INFINITY,
    source: Source = 'live',
  ): AsyncGenerator<readonly StoredMessage[], void, undefined> {
    let position = after ?? startOf(from);
    for (let left = limit; left > 0; ) {
      const page = await this.messages.page(deviceId, position, to, Math.min(PAGE, left), source);
      if (page.length > 0) yield page;
      if (page.length < Math.min(PAGE, left)) return;
      left -= page.length;
      position = positionOf(page.at(-1)!);
    }
  }
}
