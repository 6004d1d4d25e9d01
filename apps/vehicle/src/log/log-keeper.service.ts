/** Seals the vehicle's records into its log as they come, and tells the platform the newest head while there is a network. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionService } from '../agent/connection.service.js';
import { NetworkFailure } from '../http/network-failure.js';
import type { KeyStore } from '../keys/key-store.js';
import type { Report } from '../report/report.service.js';
import { TokenRefused } from '../token/token-refused.js';
import { segmentBody } from './delivery.js';
import type { LogStore } from './log.store.js';
import { isDue, nextRecords, sealHead } from './segment.js';

const LOOK_EVERY_MS = 5_000;

export class LogKeeperService {
  private sealing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly log: LogStore,
    private readonly keys: KeyStore,
    private readonly connections: ConnectionService,
    private readonly origin: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal; rejects only for a bug. */
  async run(): Promise<void> {
    await this.connections.current();
    while (!this.signal.aborted) {
      await this.seal('due');
      await this.announce();
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  /** `all`: whatever is open; `due`: what is full or old enough. One at a time, whoever asks. */
  seal(what: 'due' | 'all'): Promise<void> {
    const work = this.sealing.then(() => this.sealOpen(what));
    this.sealing = work.catch(() => undefined);
    return work;
  }

  /** A certificate that has lapsed seals nothing: the next one does. */
  private async sealOpen(what: 'due' | 'all'): Promise<void> {
    const { identity } = await this.connections.current();
    for (;;) {
      const now = Date.now();
      const open = this.log.open();
      if (open.length === 0 || (what === 'due' && !isDue(open, now / 1000)) || identity.notAfter <= now) return;
      const seconds = Math.floor(now / 1000);
      const sealed = sealHead(identity.deviceId, this.log.name, nextRecords(open), this.log.end(), seconds);
      const signature = await this.keys.sign(identity.keyName, Buffer.from(sealed.head));
      this.log.add(sealed, signature.toString('base64url'), identity.thumbprint, seconds);
    }
  }

  /** Goes without saying when it fails: the next head proves as much. */
  private async announce(): Promise<void> {
    const segment = this.log.unannounced();
    if (!segment) return;
    try {
      const { authorized, tokens } = await this.connections.current();
      const body = segmentBody(segment, undefined);
      const headers = { accept: 'application/json', 'content-type': 'application/json' };
      const token = await tokens.get('telemetry');
      const url = `${this.origin}/v1/telemetry/log-heads`;
      const { status } = await authorized.send(url, { method: 'POST', headers, body, signal: this.signal }, token);
      if (status === 200) this.log.announced(segment.segment);
      else if (status === 422) {
        this.log.announced(segment.segment);
        this.report({ event: 'log_refused', what: `head ${segment.segment}`, code: `http.${status}`, detail: '' });
      }
    } catch (error) {
      const expected = error instanceof NetworkFailure || error instanceof TokenRefused || this.signal.aborted;
      if (!expected) throw error;
    }
  }
}
