/** Whether a service gets its next certificate, and what stands in it: its own name and the hosts of the one it holds, and of the request the key alone. */
import { DomainError } from '@outrider/errors';
import { type SerialNumber, type Service, serviceSpiffeId, type TrustDomain } from '@outrider/ids';
import {
  type CertificateDescription,
  isWeakKey,
  OID,
  type ParsedCertificate,
  type ParsedCertificationRequest,
  PROFILES,
} from '@outrider/x509';

const PROFILE = 'service-server';
/** Replicas may share the certificate that they begin with; whoever stole its key gets no more than this out of it either. */
export const MAX_RENEWALS_OF_ONE = 64;

export interface RenewalRules {
  readonly trustDomain: TrustDomain;
  readonly lifetimeSeconds: number;
  /** The infrastructure CA that signs now. */
  readonly issuer: ParsedCertificate;
}

/** What is known of the certificate that asks, from the log of what was signed. */
export interface RenewalHistory {
  /** How many certificates were renewed from this very one. */
  readonly renewals: number;
  /** Whether the key of the request was certified before. */
  readonly isKeyKnown: boolean;
}

/**
 * @param service that the presented certificate names, and whose subject the request came by.
 * @param presented valid now, and of the infrastructure CA; its key has signed the request (verifyRequest).
 * @param csr already proven to hold the new key.
 * @throws DomainError `ca.request_refused`, `x509.key_unsupported`
 */
export function decideRenewal(
  service: Service,
  presented: ParsedCertificate,
  csr: ParsedCertificationRequest,
  history: RenewalHistory,
  rules: RenewalRules,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const profile = PROFILES[PROFILE];
  // A certificate that could only ask, or only serve, does not become one that can do both.
  if (!profile.extendedKeyUsages.every((usage) => presented.extendedKeyUsages?.includes(usage))) {
    throw refused('the certificate is not one of a service that listens and asks');
  }
  if (!profile.keyAlgorithms.some((algorithm) => algorithm === csr.keyAlgorithm)) {
    throw new DomainError('x509.key_unsupported', { detail: `${PROFILE} takes no ${csr.keyAlgorithm} key` });
  }
  if (isWeakKey(csr.spkiDer)) throw new DomainError('x509.key_unsupported', { detail: 'the key is publicly known' });
  if (history.isKeyKnown || csr.keyThumbprint === presented.keyThumbprint) throw refused('the key is not a new one');
  if (history.renewals >= MAX_RENEWALS_OF_ONE) throw refused('that many were renewed from this certificate already');
  if (!isHalfway(presented, now) && presented.authorityKeyId === rules.issuer.subjectKeyId) {
    throw refused('less than half of its life is over');
  }
  const sanUri = serviceSpiffeId(rules.trustDomain, service);
  checkAsked(csr, service, sanUri);
  return {
    profile: PROFILE,
    serialNumber,
    subject: [
      { type: OID.organizationName, value: rules.trustDomain },
      { type: OID.commonName, value: service },
    ],
    spkiDer: csr.spkiDer,
    ...validity(rules, now),
    sanUri,
    sanDns: presented.sanDns,
    sanIps: presented.sanIps,
  };
}

function isHalfway({ notBefore, notAfter }: ParsedCertificate, now: Date): boolean {
  return now.getTime() - notBefore.getTime() >= (notAfter.getTime() - notBefore.getTime()) / 2;
}

/** Nothing of it is used; asking for somebody else, or for authority, is a mistake or an attack, and either should be seen. */
function checkAsked(csr: ParsedCertificationRequest, service: Service, sanUri: string): void {
  const names = csr.subject.attributes.filter(({ type }) => type === OID.commonName);
  if (names.length > 1 || names.some(({ value }) => value !== service)) throw refused('it names another subject');
  if (!csr.sanUris.every((uri) => uri === sanUri)) throw refused('it asks for another URI name');
  const { basicConstraints, keyUsage } = csr.requestedExtensions;
  if (basicConstraints?.ca || keyUsage?.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign')) {
    throw refused('it asks for authority');
  }
}

function validity({ lifetimeSeconds, issuer }: RenewalRules, now: Date) {
  const { min, max } = PROFILES[PROFILE].lifetimeSeconds;
  const seconds = Math.min(Math.max(lifetimeSeconds, min), max);
  // Whole seconds, as a certificate has them. Neither end lies outside the issuer's life.
  const nowMs = Math.floor(now.getTime() / 1000) * 1000;
  const notBefore = Math.max(nowMs - PROFILES[PROFILE].backdateSeconds * 1000, issuer.notBefore.getTime());
  return {
    notBefore: new Date(notBefore),
    notAfter: new Date(Math.min(nowMs + seconds * 1000, issuer.notAfter.getTime())),
  };
}

function refused(detail: string): DomainError {
  return new DomainError('ca.request_refused', { detail });
}
