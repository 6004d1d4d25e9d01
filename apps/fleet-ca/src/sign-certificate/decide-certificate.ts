/** What may be certified: holds a request against its profile and its requester, and describes the certificate that follows. */
import { DomainError } from '@outrider/errors';
import {
  type DeviceId,
  deviceSpiffeId,
  type SerialNumber,
  type Service,
  serviceSpiffeId,
  type TrustDomain,
} from '@outrider/ids';
import {
  type CertificateDescription,
  type CertificateProfile,
  crlShard,
  crlShardUrl,
  isWeakKey,
  OID,
  type ParsedCertificate,
  type ParsedCertificationRequest,
} from '@outrider/x509';

export interface IssuingRules {
  readonly trustDomain: TrustDomain;
  readonly crl: { readonly baseUrl: string; readonly shardCount: number };
  /** Of the issuer's lists. */
  readonly crlPrefix: string;
  readonly ocspUrl: string;
}

/** What is asked for, beside the request that proves the key. */
export interface AskedCertificate {
  readonly deviceId?: DeviceId | undefined;
  readonly lifetimeSeconds?: number | undefined;
}

/** The authority that is to sign: its own profile, and its certificate, which nothing outlives. */
export interface Issuer {
  readonly profile: string;
  readonly certificate: ParsedCertificate;
}

/**
 * @param csr already proven to hold the key (parseCertificationRequest).
 * @throws DomainError `ca.requester_refused`, `ca.request_refused`, `x509.key_unsupported`
 */
export function decideCertificate(
  requester: Service,
  request: AskedCertificate,
  profile: CertificateProfile,
  csr: ParsedCertificationRequest,
  issuer: Issuer,
  rules: IssuingRules,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  if (!profile.requestedBy.includes(requester)) {
    throw new DomainError('ca.requester_refused', { detail: `${requester} may not ask for ${profile.name}` });
  }
  if (!profile.signedBy.includes(issuer.profile)) {
    throw refused(`an authority of profile ${issuer.profile} does not sign ${profile.name}`);
  }
  if (!profile.keyAlgorithms.some((algorithm) => algorithm === csr.keyAlgorithm)) {
    throw new DomainError('x509.key_unsupported', { detail: `${profile.name} takes no ${csr.keyAlgorithm} key` });
  }
  // The lint would stop it too; here it is the fault of who asks, not of ours.
  if (isWeakKey(csr.spkiDer)) throw new DomainError('x509.key_unsupported', { detail: 'the key is publicly known' });
  const identity = identityOf(request, profile, rules.trustDomain);
  checkAsked(csr, identity);
  return {
    profile,
    serialNumber,
    subject: [{ type: OID.commonName, value: identity.commonName }],
    spkiDer: csr.spkiDer,
    ...validity(profile, request.lifetimeSeconds, issuer.certificate, now),
    ...(identity.sanUri === undefined ? {} : { sanUri: identity.sanUri }),
    ...(profile.revocationPointers === 'required' ? revocationPointers(rules, serialNumber) : {}),
  };
}

interface Identity {
  readonly commonName: string;
  /** None for what is nobody's identity. */
  readonly sanUri: string | undefined;
}

function identityOf({ deviceId }: AskedCertificate, profile: CertificateProfile, trustDomain: TrustDomain): Identity {
  const { name, sanUri } = profile;
  if (sanUri === 'command') {
    if (deviceId !== undefined) throw refused('a command signer is no device');
    return { commonName: 'command', sanUri: serviceSpiffeId(trustDomain, 'command') };
  }
  if (isOcspSigner(profile)) {
    if (deviceId !== undefined) throw refused('an OCSP signer is no device');
    return { commonName: 'ocsp', sanUri: undefined };
  }
  // parseProfile lets a service ask for these three alone.
  if (sanUri !== 'vehicle') throw new Error(`no identity is known for profile ${name}`);
  if (deviceId === undefined) throw refused('a vehicle certificate names a device');
  return { commonName: deviceId, sanUri: deviceSpiffeId(trustDomain, deviceId) };
}

export function isOcspSigner({ extendedKeyUsages }: CertificateProfile): boolean {
  return extendedKeyUsages.includes(OID.ocspSigning);
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

function validity(profile: CertificateProfile, wanted: number | undefined, issuer: ParsedCertificate, now: Date) {
  const { min, default: usual, max } = profile.lifetimeSeconds;
  const lifetimeSeconds = Math.min(Math.max(wanted ?? usual, min), max);
  // Whole seconds, as a certificate has them. Neither end lies outside the issuer's life.
  const nowMs = Math.floor(now.getTime() / 1000) * 1000;
  const notBeforeMs = Math.max(nowMs - profile.backdateSeconds * 1000, issuer.notBefore.getTime());
  const notAfterMs = Math.min(nowMs + lifetimeSeconds * 1000, issuer.notAfter.getTime());
  return { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) };
}

function revocationPointers(rules: IssuingRules, serialNumber: SerialNumber) {
  const { baseUrl, shardCount } = rules.crl;
  const crlUrl = crlShardUrl(baseUrl, crlShard(serialNumber, shardCount), rules.crlPrefix);
  return { crlUrl, ocspUrl: rules.ocspUrl };
}

function refused(detail: string): DomainError {
  return new DomainError('ca.request_refused', { detail });
}
