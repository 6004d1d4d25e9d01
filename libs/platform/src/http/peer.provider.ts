import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { DomainError } from '@outrider/errors';
import { parseCertificate } from '@outrider/x509';
import type { ListenerName } from './on.provider.js';
import type { Peer } from './peer.js';

const MAX_CHAIN = 5;

/** Reads the other end of a fresh connection, once. Undefined when its certificate cannot be parsed by our strict parser. */
export function peerOfSocket(listener: ListenerName, socket: Socket): Peer | undefined {
  const remoteAddress = socket.remoteAddress ?? 'unknown';
  if (!(socket instanceof TLSSocket)) return { listener, remoteAddress, chain: [], authorized: false };
  const leaf = socket.getPeerX509Certificate();
  if (!leaf) return { listener, remoteAddress, chain: [], authorized: false };
  try {
    return {
      listener,
      remoteAddress,
      certificate: parseCertificate(leaf.raw),
      chain: presentedChain(socket),
      authorized: socket.authorized,
    };
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
