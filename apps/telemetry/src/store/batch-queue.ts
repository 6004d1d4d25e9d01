/** The waiting line of requests before the commit they share: bounded, first come first served, cut into batches. */

/** One request's part. `records` and `bytes`: what it counts for. */
export interface QueuedRequest {
  readonly records: number;
  readonly bytes: number;
}

export interface QueueLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** Records of one batch; a request is never cut, so that one with more makes a batch of its own. */
export const BATCH_RECORDS = 256;

export class BatchQueue<R extends QueuedRequest> {
  private readonly waiting: R[] = [];
  private head = 0;
  private records = 0;
  private bytes = 0;

  constructor(private readonly limits: QueueLimits) {}

  /** Records waiting. */
  get size(): number {
    return this.records;
  }

  /** False when the queue is over its capacity with it; it is then not taken. An empty queue takes any request. */
  add(request: R): boolean {
    const full =
      this.records + request.records > this.limits.maxRecords || this.bytes + request.bytes > this.limits.maxBytes;
    if (full && this.records > 0) return false;
    this.waiting.push(request);
    this.records += request.records;
    this.bytes += request.bytes;
    return true;
  }

  /** Takes out the next batch; empty when nothing waits. */
  take(): R[] {
    const batch: R[] = [];
    let count = 0;
    while (this.head < this.waiting.length) {
      const next = this.waiting[this.head]!;
      if (batch.length > 0 && count + next.records > BATCH_RECORDS) break;
      batch.push(next);
      count += next.records;
      this.records -= next.records;
      this.bytes -= next.bytes;
      this.head++;
    }
    if (this.head > 1024 || this.head === this.waiting.length) {
      this.waiting.splice(0, this.head);
      this.head = 0;
    }
    return batch;
  }
}
