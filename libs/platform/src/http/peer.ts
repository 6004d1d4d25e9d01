/** What is known of the other end of a connection, once per connection. */
import type { ParsedCertificate } from '@outrider/x509';

export interface Peer {
  readonly listener: 'vehicle' | 'operator' | 'http';
  readonly remoteAddress: string;
  /** The client certificate the TLS handshake proved possession of; on most vehicle listeners also validated to the anchors there. */
  readonly certificate?: ParsedCertificate;
  /** The rest of the chain as presented (DER), leaf excluded. Attacker-controlled until validated. */
  readonly chain: readonly Uint8Array[];
  /** Whether the certificate's path led to one of the listener's anchors, for client authentication, when the connection was opened. */
  readonly authorized: boolean;
  /** The other end is a configured proxy: which client certificate it forwards is believed. Its own never makes it a vehicle. */
  readonly isProxy?: boolean;
  /** The proxy's own certificate, where this is a vehicle behind one: `certificate` was forwarded, and its chain validated here. */
  readonly via?: ParsedCertificate;
}
