/** One request for a certificate, as it waits for its group. */
import type { DeviceId } from '@outrider/ids';
import type { ParsedCertificate, ParsedCertificationRequest } from '@outrider/x509';
import type { Label } from '../label/label.js';

/** Who asks, as far as the certificate alone can say. The manufacturer and the device behind a factory certificate the registry knows. */
export type Client = FactoryClient | FleetClient;

export interface FactoryClient {
  readonly kind: 'factory';
  readonly certificate: ParsedCertificate;
  /** Above the leaf, as presented in TLS: attacker-controlled until the chain holds. */
  readonly presented: readonly ParsedCertificate[];
  /** X.520 serialNumber of its subject; empty: it holds not exactly one. */
  readonly serialNumber: string;
}

export interface FleetClient {
  readonly kind: 'fleet';
  readonly certificate: ParsedCertificate;
  readonly deviceId: DeviceId;
}

export interface Ask {
  readonly operation: 'enrol' | 're-enrol';
  readonly label: Label;
  readonly client: Client;
  readonly request: ParsedCertificationRequest;
  /** Hex, of the DER of the request: the same request again is a retry. */
  readonly csrSha256: string;
  readonly remoteAddress: string;
  readonly at: Date;
}
