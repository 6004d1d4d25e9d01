/** Reads from a connection what admission and the denylist call the client certificate. */
import { type ClientCertificate, serialValue } from '@outrider/admission';
import { parseVehicleSpiffeId, type TrustDomain } from '@outrider/ids';
import type { Peer } from '../http/peer.js';

/** Undefined without a certificate. Its device is believed only where the chain was: anyone can write a name into a certificate of his own. */
export function clientCertificate(peer: Peer, trustDomain: TrustDomain): ClientCertificate | undefined {
  const { certificate, authorized } = peer;
  if (!certificate) return undefined;
  const { thumbprint, keyThumbprint, serialNumber, authorityKeyId, sanUris, notBefore, notAfter } = certificate;
  const [uri, ...others] = sanUris;
  const named = authorized && uri !== undefined && others.length === 0;
  return {
    authorized,
    thumbprint,
    keyThumbprint,
    serial: serialValue(authorityKeyId ?? '', serialNumber),
    deviceId: named ? parseVehicleSpiffeId(uri, trustDomain) : undefined,
    notBefore,
    notAfter,
  };
}
