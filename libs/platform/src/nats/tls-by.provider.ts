import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ServerUrls, serverHosts } from './servers.js';

/** What Node compares a certificate with where it was given no name: the client gives none for a server whose address is all it knows. */
const NO_NAME = 'localhost';

/** The client's TLS options. */
export interface ServerTls {
  readonly caFile: string;
  readonly checkServerIdentity: typeof checkServerIdentity;
}

/**
 * TLS to the servers of `url`, their certificates of a CA in `caFile`. A server that is written by its IP address must be certified for one
 * of the addresses written: every certificate that also names `localhost` would do otherwise.
 */
export function tlsBy(caFile: string, url: ServerUrls): ServerTls {
  const addresses = serverHosts(url)
    .map((host) => host.replace(/^\[|\]$/g, ''))
    .filter((host) => isIP(host) !== 0);
  return {
    caFile,
    checkServerIdentity: (name: string, certificate: PeerCertificate) => {
      if (name !== NO_NAME || addresses.length === 0) return checkServerIdentity(name, certificate);
      const refusals = addresses.map((address) => checkServerIdentity(address, certificate));
      return refusals.includes(undefined) ? undefined : refusals[0];
    },
  };
}
