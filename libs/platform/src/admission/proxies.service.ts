import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type ForwardedCertificate, forwardedCertificate } from '@outrider/admission';
import { sha256Base64url } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { ParsedCertificate } from '@outrider/x509';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Listeners } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { peerBehind } from '../http/peer.provider.js';
import { TrustFiles } from '../service/trust-files.service.js';

const REMEMBERED = 20_000;
/** An intermediate may expire while it is remembered; leaves are looked at on each request. */
const REMEMBERED_MS = 60_000;

/** The vehicles behind configured proxies, by the certificates that these forward. Each certificate is validated here, once a minute. */
@Injectable()
export class Proxies implements OnModuleInit {
  private readonly validated = new LRUCache<string, Peer>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  constructor(
    private readonly listeners: Listeners,
    private readonly trustFiles: TrustFiles,
  ) {}

  onModuleInit(): void {
    this.trustFiles.events.on('changed', () => this.validated.clear());
  }

  /**
   * Who asks through `proxy`; without a certificate where it forwards none.
   * @throws DomainError `auth.forwarded_certificate_invalid`
   */
  behind({ headers }: FastifyRequest, proxy: Peer): Peer {
    const forwarded = forwardedCertificate({
      clientCert: text(headers['client-cert']),
      clientCertChain: text(headers['client-cert-chain']),
      xfcc: text(headers['x-forwarded-client-cert']),
    });
    return this.vehicle(forwarded, proxy, this.listeners.clientAnchors());
  }

  /**
   * Who the client of `proxy` is by the certificate that it showed there. `anchors`: the same at every call in one process.
   * @throws DomainError `auth.forwarded_certificate_invalid`
   */
  vehicle(forwarded: ForwardedCertificate | undefined, proxy: Peer, anchors: readonly ParsedCertificate[]): Peer {
    const { listener, remoteAddress, certificate: via } = proxy;
    const connection = { listener, remoteAddress, ...(via ? { via } : {}) };
    if (!forwarded) return { ...connection, chain: [], authorized: false };
    const name = [forwarded.leaf, ...forwarded.chain].map(sha256Base64url).join('.');
    const known = this.validated.get(name) ?? peerBehind(proxy, forwarded, anchors);
    if (!known) throw new DomainError('auth.forwarded_certificate_invalid', { detail: 'it cannot be parsed' });
    if (known.authorized && !this.validated.has(name)) this.validated.set(name, known);
    return { ...known, ...connection };
  }
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
