/** The waiting line of requests before the commit they share: bounded, devices in turn, cut into batches. */

/** One request's part, all of one device. `records` and `bytes`: what it counts for. */
export interface QueuedRequest {
  readonly deviceId: string;
  readonly records: number;
  readonly bytes: number;
}

/** Of all that waits; and of what one device may have waiting, so that it cannot fill the line for others. */
export interface QueueLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly maxDeviceRecords: number;
}

/** `full`: for everyone; `device_full`: this device has its share waiting. */
export type Admission = 'taken' | 'full' | 'device_full';

/** Records of one batch; a request is never cut, so that one with more makes a batch of its own. */
export const BATCH_RECORDS = 256;

interface Line<R> {
  readonly requests: R[];
  records: number;
}

/**
 * First come first served within a device; among devices one request each in turn. A device is in one batch at a time: the next one would
 * only wait for its lock, and everybody in it with it. So a device with much to say, or with a slow row, delays itself alone.
 */
export class BatchQueue<R extends QueuedRequest> {
  /** In the order of turns. */
  private readonly lines = new Map<string, Line<R>>();
  private readonly committing = new Set<string>();
  private records = 0;
  private bytes = 0;

  constructor(private readonly limits: QueueLimits) {}

  /** Records waiting. */
  get size(): number {
    return this.records;
  }

  /** What is not `taken` is not kept. An empty queue takes any request, and so does the empty line of a device where there is room. */
  add(request: R): Admission {
    const { maxRecords, maxBytes, maxDeviceRecords } = this.limits;
    const line = this.lines.get(request.deviceId);
    if (line && line.records + request.records > maxDeviceRecords) return 'device_full';
    const full = this.records + request.records > maxRecords || this.bytes + request.bytes > maxBytes;
    if (full && this.records > 0) return 'full';
    if (line) {
      line.requests.push(request);
      line.records += request.records;
    } else this.lines.set(request.deviceId, { requests: [request], records: request.records });
    this.records += request.records;
    this.bytes += request.bytes;
    return 'taken';
  }

  /** Takes out the next batch, to be given back to `done`; empty when nothing waits that could be committed now. */
  take(): R[] {
    const batch: R[] = [];
    const devices = new Set<string>();
    let count = 0;
    // A line that is put back comes up again at the end of the same walk: that is the next round.
    for (const [deviceId, line] of this.lines) {
      if (this.committing.has(deviceId)) continue;
      const next = line.requests[0]!;
      if (batch.length > 0 && count + next.records > BATCH_RECORDS) break;
      this.shift(deviceId, line, next);
      batch.push(next);
      devices.add(deviceId);
      count += next.records;
    }
    for (const deviceId of devices) this.committing.add(deviceId);
    return batch;
  }

  /** The batch has been committed, or has failed: its devices may be in the next one. */
  done(batch: readonly R[]): void {
    for (const { deviceId } of batch) this.committing.delete(deviceId);
  }

  private shift(deviceId: string, line: Line<R>, request: R): void {
    line.requests.shift();
    line.records -= request.records;
    this.records -= request.records;
    this.bytes -= request.bytes;
    this.lines.delete(deviceId);
    if (line.requests.length > 0) this.lines.set(deviceId, line);
  }
}
