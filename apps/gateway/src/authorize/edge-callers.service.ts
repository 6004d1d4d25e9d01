import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { ClientCertificate } from '@outrider/admission';
import { clientCertificate, Proxies } from '@outrider/platform/admission';
import type { Peer } from '@outrider/platform/http';
import { RUNTIME, type Runtime, TrustFiles } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { ShownCertificate } from './edge-question.js';
import { shownCertificate, shownKey } from './shown-certificate.js';

const REMEMBERED = 20_000;
/** As in `Proxies`: an intermediate may expire meanwhile; leaves are looked at on each question. */
const REMEMBERED_MS = 60_000;

/** Who stands behind an edge, by what it forwards: read and validated once a minute, by the words that it was forwarded in. */
@Injectable()
export class EdgeCallers implements OnModuleInit {
  private readonly known = new LRUCache<string, ClientCertificate>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  constructor(
    private readonly proxies: Proxies,
    private readonly trustFiles: TrustFiles,
    @Inject(RUNTIME) private readonly runtime: Runtime,
  ) {}

  onModuleInit(): void {
    this.trustFiles.events.on('changed', () => this.known.clear());
  }

  /**
   * Undefined where the client showed no certificate.
   * @throws DomainError `auth.forwarded_certificate_invalid`
   */
  certificate(shown: ShownCertificate, edge: Peer): ClientCertificate | undefined {
    const key = shownKey(shown);
    if (key === undefined) return undefined;
    const known = this.known.get(key);
    if (known) return known;
    const peer = this.proxies.vehicle(shownCertificate(shown), edge, this.trustFiles.vehicleCa);
    const certificate = clientCertificate(peer, this.runtime.config.trustDomain);
    if (certificate?.authorized) this.known.set(key, certificate);
    return certificate;
  }
}
