/** Keeps the roots of a vehicle up to date by what the platform hands out at `/cacerts` (RFC 7030 §4.1). */
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate, parseCertsOnlyCms } from '@outrider/x509';
import { NetworkFailure } from '../http/network-failure.js';
import { VehicleClient } from '../http/vehicle.client.js';
import type { Report } from '../report/report.service.js';
import { rootsGone, rootsVouchedFor } from './adopt-roots.js';
import type { AnchorStore } from './anchors.store.js';

/** Asked this often though nothing else gives occasion: renewals do, and a server that is not believed. */
const ASK_EVERY_MS = 24 * 3_600_000;
const UNTRUSTED_EVERY_MS = 30_000;
const TIMEOUT_MS = 10_000;

export class TrustService {
  private askAt = 0;
  private suspectedAt = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | undefined;

  /**
   * @param origin of provisioning's vehicle listener
   * @param changed is called after the roots have changed, and are on disk
   */
  constructor(
    private readonly anchors: AnchorStore,
    private readonly origin: string,
    private readonly changed: () => Promise<void>,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** There is a new certificate: the next `refresh` asks. */
  due(): void {
    this.askAt = 0;
  }

  /**
   * Asks where it is due, over connections that the roots of now vouch for. Never throws: whom the platform cannot be asked of, the
   * roots of now serve on.
   */
  async refresh(nowMs: number, client: VehicleClient): Promise<void> {
    if (nowMs < this.askAt) return;
    if (await this.once(() => this.ask(client, true))) this.askAt = nowMs + ASK_EVERY_MS;
  }

  /**
   * A server was not believed: perhaps the fleet has another root by now. It cannot be asked over a connection that is believed, so
   * only successors that a trusted root has signed count, and nothing is given up.
   */
  async suspect(nowMs: number): Promise<void> {
    if (nowMs - this.suspectedAt < UNTRUSTED_EVERY_MS) return;
    this.suspectedAt = nowMs;
    await this.once(async () => {
      const client = new VehicleClient(this.anchors.serverTrust, undefined, 'nobody');
      await this.ask(client, false).finally(() => client.close());
    });
  }

  private async once(work: () => Promise<void>): Promise<boolean> {
    await this.asking;
    let done = false;
    this.asking = work()
      .then(() => {
        done = true;
      })
      .catch((error: unknown) => {
        // The platform away is for the links to tell; anything else is seen here or nowhere.
        if (error instanceof NetworkFailure || this.signal.aborted) return;
        const code = error instanceof DomainError ? error.code : 'bug';
        this.report({ event: 'failed', what: 'trust', code, detail: (error as Error).message });
      })
      .finally(() => {
        this.asking = undefined;
      });
    await this.asking;
    return done;
  }

  private async ask(client: VehicleClient, believed: boolean): Promise<void> {
    const url = `${this.origin}/.well-known/est/cacerts`;
    const answer = await client.send(url, { method: 'GET', timeoutMs: TIMEOUT_MS, signal: this.signal });
    if (answer.status !== 200) throw new NetworkFailure('cut', `cacerts: ${answer.status}`);
    const offered = parseCertsOnlyCms(answer.body).map((der) => parseCertificate(der));
    await this.take(offered, believed);
  }

  /** Whom nobody believes may lead on to a next root, and back to none: whoever stole the key of one that is over would. */
  private async take(offered: readonly ParsedCertificate[], believed: boolean): Promise<void> {
    const trusted = this.anchors.fleetRoots;
    const learned = believed
      ? rootsVouchedFor(trusted, offered, new Date(), 'any')
      : rootsVouchedFor(
          trusted,
          offered.filter((each) => !this.anchors.gaveUp(each)),
          new Date(),
          'successors',
        );
    const gone = believed ? rootsGone([...trusted, ...learned], offered) : [];
    if (learned.length === 0 && gone.length === 0) return;
    await this.anchors.change(learned, gone);
    for (const root of learned)
      this.report({ event: 'root_learned', thumbprint: root.thumbprint, name: root.subject.text });
    for (const root of gone)
      this.report({ event: 'root_given_up', thumbprint: root.thumbprint, name: root.subject.text });
    await this.changed();
  }
}
