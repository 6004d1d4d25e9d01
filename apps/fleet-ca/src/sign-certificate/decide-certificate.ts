/** What may be certified: holds a request against its profile and its requester, and describes the certificate that follows. */
import type { CertificateProfileName, CertificateSignRequest } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { deviceSpiffeId, type SerialNumber, type Service, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import {
  type CertificateDescription,
  crlShard,
  crlShardUrl,
  OID,
  type ParsedCertificate,
  type ParsedCertificationRequest,
  PROFILES,
} from '@outrider/x509';
import type { AuthorityName } from '../ceremony/authorities.js';

export interface LifetimeBounds {
  readonly minLifetimeSeconds: number;
  readonly defaultLifetimeSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Subtracted from notBefore, for clocks that run late. */
  readonly backdateSeconds: number;
}

export interface IssuingRules {
  readonly trustDomain: TrustDomain;
  readonly lifetimes: Readonly<Record<CertificateProfileName, LifetimeBounds>>;
  readonly crl: { readonly baseUrl: string; readonly shardCount: number };
  readonly ocspUrl: string;
}

/** The only service that may ask for each profile, and the authority that signs it. */
export const SIGNERS: Readonly<Record<CertificateProfileName, { requester: Service; authority: AuthorityName }>> = {
  vehicle: { requester: 'provisioning', authority: 'vehicle-ca' },
  'command-signer': { requester: 'command', authority: 'control-ca' },
};

/**
 * @param csr already proven to hold the key (parseCertificationRequest).
 * @param issuer the authority's certificate: nothing outlives it.
 * @throws DomainError `ca.requester_refused`, `ca.request_refused`, `x509.key_unsupported`
 */
export function decideCertificate(
  requester: Service,
  request: CertificateSignRequest,
  csr: ParsedCertificationRequest,
  issuer: ParsedCertificate,
  rules: IssuingRules,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const { profile } = request;
  if (SIGNERS[profile].requester !== requester) {
    throw new DomainError('ca.requester_refused', { detail: `${requester} may not ask for ${profile}` });
  }
  if (!PROFILES[profile].keyAlgorithms.includes(csr.keyAlgorithm)) {
    throw new DomainError('x509.key_unsupported', { detail: `${profile} takes no ${csr.keyAlgorithm} key` });
  }
  const identity = identityOf(request, rules.trustDomain);
  checkAsked(csr, identity);
  return {
    profile,
    serialNumber,
    subject: [{ type: OID.commonName, value: identity.commonName }],
    spkiDer: csr.spkiDer,
    ...validity(rules.lifetimes[profile], request.lifetimeSeconds, issuer, now),
    sanUri: identity.sanUri,
    ...(profile === 'vehicle' ? revocationPointers(rules, serialNumber) : {}),
  };
}

interface Identity {
  readonly commonName: string;
  readonly sanUri: string;
}

function identityOf(request: CertificateSignRequest, trustDomain: TrustDomain): Identity {
  if (request.profile === 'command-signer') {
    if (request.deviceId !== undefined) throw refused('a command signer is no device');
    return { commonName: 'command', sanUri: serviceSpiffeId(trustDomain, 'command') };
  }
  if (request.deviceId === undefined) throw refused('a vehicle certificate names a device');
  return { commonName: request.deviceId, sanUri: deviceSpiffeId(trustDomain, request.deviceId) };
}

/**
 * The certificate is made from the identity, never from the request. Asking for somebody else, or for authority, is refused all
 * the same: it is a mistake or an attack, and either should be seen. Other wishes (DNS names, usages) are dropped.
 */
function checkAsked(csr: ParsedCertificationRequest, identity: Identity): void {
  // A vehicle may leave its name to the registry; a second name beside its own is somebody else's.
  const names = csr.subject.attributes.filter(({ type }) => type === OID.commonName);
  if (names.length > 1 || names.some(({ value }) => value !== identity.commonName)) {
    throw refused('the request names another subject');
  }
  if (!csr.sanUris.every((uri) => uri === identity.sanUri)) throw refused('the request asks for another URI name');
  const { basicConstraints, keyUsage } = csr.requestedExtensions;
  if (basicConstraints?.ca) throw refused('the request asks to be a CA');
  if (keyUsage?.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign')) {
    throw refused('the request asks to sign certificates');
  }
}

function validity(bounds: LifetimeBounds, wanted: number | undefined, issuer: ParsedCertificate, now: Date) {
  const { minLifetimeSeconds, defaultLifetimeSeconds, maxLifetimeSeconds } = bounds;
  const lifetimeSeconds = Math.min(Math.max(wanted ?? defaultLifetimeSeconds, minLifetimeSeconds), maxLifetimeSeconds);
  const notAfterMs = Math.min(now.getTime() + lifetimeSeconds * 1000, issuer.notAfter.getTime());
  return { notBefore: new Date(now.getTime() - bounds.backdateSeconds * 1000), notAfter: new Date(notAfterMs) };
}

function revocationPointers(rules: IssuingRules, serialNumber: SerialNumber) {
  const { baseUrl, shardCount } = rules.crl;
  return { crlUrl: crlShardUrl(baseUrl, crlShard(serialNumber, shardCount)), ocspUrl: rules.ocspUrl };
}

function refused(detail: string): DomainError {
  return new DomainError('ca.request_refused', { detail });
}
