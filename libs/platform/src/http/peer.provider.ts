import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import type { ListenerName } from './on.provider.js';
import type { Peer } from './peer.js';

/** Whom a listener believes about client certificates: names, and the anchors that must have certified them. */
export interface TrustedProxies {
  /** SPIFFE ids and thumbprints. */
  readonly names: readonly string[];
  readonly anchors: readonly ParsedCertificate[];
}

const MAX_CHAIN = 5;

/**
 * Reads the other end of a fresh connection, once. Undefined when its certificate cannot be parsed by our strict parser.
 * `anchors`: what client certificates of this listener must chain to. We validate the path ourselves: Node's TLS server ignores
 * `allowPartialTrustChain`, and would take an intermediate for an anchor only beside the root, which then vouches for its other CAs too.
 */
export function peerOfSocket(
  listener: ListenerName,
  socket: Socket,
  anchors: readonly ParsedCertificate[],
  proxies: TrustedProxies,
): Peer | undefined {
  const remoteAddress = socket.remoteAddress ?? 'unknown';
  if (!(socket instanceof TLSSocket)) return { listener, remoteAddress, chain: [], authorized: false };
  const leaf = socket.getPeerX509Certificate();
  if (!leaf) return { listener, remoteAddress, chain: [], authorized: false };
  const certificate = orUndefined(() => parseCertificate(leaf.raw));
  if (!certificate) return undefined;
  const peer = new TlsPeer(listener, remoteAddress, certificate, socket);
  peer.authorized = isAuthorized(peer, anchors);
  if (isTrustedProxy(peer, proxies)) peer.isProxy = true;
  return peer;
}

/** Reads what else was presented when somebody asks: a leaf below an anchor needs none of it, and Node takes longer over it than over the leaf. */
class TlsPeer implements Peer {
  authorized = false;
  isProxy?: boolean;
  private presented: readonly Uint8Array[] | undefined;

  constructor(
    readonly listener: ListenerName,
    readonly remoteAddress: string,
    readonly certificate: ParsedCertificate,
    private readonly socket: TLSSocket,
  ) {}

  get chain(): readonly Uint8Array[] {
    this.presented ??= presentedChain(this.socket);
    return this.presented;
  }
}

/** Whether the certificate is a configured proxy's, now. */
export function isTrustedProxy(peer: Peer, { names, anchors }: TrustedProxies): boolean {
  const { certificate } = peer;
  if (!certificate || names.length === 0) return false;
  const [uri, ...others] = certificate.sanUris;
  const named = names.includes(certificate.thumbprint) || (uri !== undefined && !others.length && names.includes(uri));
  return named && chainsTo(certificate, () => peer.chain, anchors);
}

/** The vehicle behind a proxy, by the certificate that it forwarded: validated here as if it had come by the handshake. Undefined: it cannot be parsed. */
export function peerBehind(
  proxy: Peer,
  forwarded: { readonly leaf: Uint8Array; readonly chain: readonly Uint8Array[] },
  anchors: readonly ParsedCertificate[],
): Peer | undefined {
  const certificate = orUndefined(() => parseCertificate(forwarded.leaf));
  if (!certificate || !proxy.certificate) return undefined;
  const { listener, remoteAddress, certificate: via } = proxy;
  const { chain } = forwarded;
  const authorized = chainsTo(certificate, () => chain, anchors);
  return { listener, remoteAddress, via, certificate, chain, authorized };
}

/** Whether the certificate leads to one of `anchors` now, with what was presented beside it. */
export function isAuthorized(peer: Peer, anchors: readonly ParsedCertificate[]): boolean {
  return peer.certificate !== undefined && chainsTo(peer.certificate, () => peer.chain, anchors);
}

function chainsTo(
  leaf: ParsedCertificate,
  chain: () => readonly Uint8Array[],
  anchors: readonly ParsedCertificate[],
): boolean {
  if (anchors.length === 0) return false;
  const options = { now: new Date(), purpose: 'clientAuth' } as const;
  const leadsBy = (intermediates: readonly ParsedCertificate[]) =>
    orUndefined(() => validateChain(leaf, intermediates, anchors, options)) !== undefined;
  const below = leaf.authorityKeyId !== undefined && anchors.some((one) => one.subjectKeyId === leaf.authorityKeyId);
  if (below && leadsBy([])) return true;
  const intermediates = chain().flatMap((der) => orUndefined(() => parseCertificate(der)) ?? []);
  return intermediates.length > 0 || !below ? leadsBy(intermediates) : false;
}

/** For what a stranger sent: a refusal is an answer, anything else a bug. */
function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function presentedChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.issuerCertificate && certificate.issuerCertificate !== certificate && chain.length < MAX_CHAIN) {
    certificate = certificate.issuerCertificate;
    if (certificate.raw) chain.push(certificate.raw);
  }
  return chain;
}
