/** Server certificates of the services: what each holds, and when it is time for a new one. */
import { type SerialNumber, Service, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import { type CertificateDescription, canonicalIpAddress, OID, type ParsedCertificate, PROFILES } from '@outrider/x509';
import { z } from 'zod';

/** Answers OCSP about all the others; revocation holds its key. */
export const OCSP_SIGNER = 'ocsp-signer';

/** A service, a server that services connect to, or a proxy that terminates TLS for vehicles: no service of ours ever has such a name. */
export const ServerName = z.union([
  Service,
  z.literal(OCSP_SIGNER),
  z.enum(['nats', 'postgres']),
  z.string().regex(/^edge-[a-z0-9][a-z0-9-]{0,30}$/),
]);
export type ServerName = z.infer<typeof ServerName>;

export interface ServiceHosts {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** Always there, since the local default and every health check are on loopback. */
const LOOPBACK: ServiceHosts = { dns: ['localhost'], ips: ['127.0.0.1', '::1'] };
const BACKDATE_MS = 300_000;

export function serviceDescription(
  service: ServerName,
  trustDomain: TrustDomain,
  hosts: ServiceHosts,
  spkiDer: Uint8Array,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const notBefore = new Date(now.getTime() - BACKDATE_MS);
  const profile = service === OCSP_SIGNER ? 'infrastructure-ocsp-signer' : 'service-server';
  return {
    profile,
    serialNumber,
    subject: [
      { type: OID.organizationName, value: trustDomain },
      { type: OID.commonName, value: service },
    ],
    spkiDer,
    notBefore,
    notAfter: new Date(notBefore.getTime() + PROFILES[profile].lifetimeSeconds.default * 1000),
    ...(service === OCSP_SIGNER ? {} : namesOf(service, trustDomain, withLoopback(hosts))),
  };
}

function namesOf(service: ServerName, trustDomain: TrustDomain, { dns, ips }: ServiceHosts) {
  return { sanUri: serviceSpiffeId(trustDomain, service), sanDns: dns, sanIps: ips };
}

function withLoopback(hosts: ServiceHosts): ServiceHosts {
  return {
    dns: [...new Set([...LOOPBACK.dns, ...hosts.dns.map((name) => name.toLowerCase())])],
    ips: [...new Set([...LOOPBACK.ips, ...hosts.ips].map(canonicalIpAddress))],
  };
}

/** True when less than a third of its life is left, when it names another service, lacks a wanted host, or comes from another CA. */
export function needsReissue(
  current: ParsedCertificate,
  issuer: ParsedCertificate,
  wanted: Pick<CertificateDescription, 'sanUri' | 'sanDns' | 'sanIps'>,
  now: Date,
): boolean {
  const lifetimeMs = current.notAfter.getTime() - current.notBefore.getTime();
  const leftMs = current.notAfter.getTime() - now.getTime();
  return (
    leftMs < lifetimeMs / 3 ||
    current.authorityKeyId !== issuer.subjectKeyId ||
    current.sanUris[0] !== wanted.sanUri ||
    !(wanted.sanDns ?? []).every((name) => current.sanDns.includes(name)) ||
    !(wanted.sanIps ?? []).every((address) => current.sanIps.includes(address))
  );
}
