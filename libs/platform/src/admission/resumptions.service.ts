import { TLSSocket } from 'node:tls';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { connectionSubject, denylistCode } from '@outrider/admission';
import { Listeners } from '../http/listeners.service.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { clientCertificate } from './client-certificate.js';
import { Decisions } from './decisions.service.js';
import { DenylistFeed } from './denylist-feed.client.js';

/**
 * Looks anew at whoever resumes a TLS session: the certificate was proven in a handshake of the past. One that is out of service, or has
 * expired, gets no connection by it; by a handshake of its own it would, and be told why it is refused.
 */
@Injectable()
export class Resumptions implements OnModuleInit {
  private readonly refused;

  constructor(
    private readonly listeners: Listeners,
    private readonly feed: DenylistFeed,
    private readonly decisions: Decisions,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter('outrider_resumptions_refused_total', 'TLS sessions that outlived their client.');
  }

  onModuleInit(): void {
    this.listeners.events.on('connection', (socket, peer) => {
      if (!(socket instanceof TLSSocket) || !socket.isSessionReused()) return;
      const certificate = clientCertificate(peer, this.runtime.config.trustDomain);
      if (!certificate) return;
      const now = Date.now();
      const { listener, remoteAddress } = peer;
      const entry = this.feed.match(connectionSubject({ certificate, remoteAddress }), now);
      const expired = now > certificate.notAfter.getTime();
      // What is open in recovery mode stays open to it.
      if (!expired && entry?.mode !== 'deny') return;
      socket.destroy();
      this.refused.inc();
      this.decisions.record({
        decision: 'deny',
        code: entry ? denylistCode(entry.kind) : 'tls.certificate_expired',
        listener,
        action: 'TLS resumption',
        deviceId: certificate.deviceId,
        thumbprint: certificate.thumbprint,
        remoteAddress,
        detail: entry?.reason ?? 'expired',
      });
    });
  }
}
