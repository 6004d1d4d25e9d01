/** Certificates of authorities during a rollover: the next generation's, the same key under another root, and the root's by the other root's key. */
import type { SerialNumber } from '@outrider/ids';
import { type CertificateDescription, OID, type ParsedCertificate, type ProfileName } from '@outrider/x509';

const BACKDATE_MS = 3_600_000;

/**
 * The next generation lives as long as the one before was made for, but not beyond its issuer. A root keeps its name (RFC 4210 §4.4);
 * an issuing CA's ends in the number of its generation, so that certificates and CRLs of two generations differ by name too.
 */
export function nextDescription(
  profile: string,
  before: ParsedCertificate,
  generation: number,
  issuer: ParsedCertificate | 'self',
  spkiDer: Uint8Array,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const notBefore = new Date(now.getTime() - BACKDATE_MS);
  const lifetimeMs = before.notAfter.getTime() - before.notBefore.getTime();
  const end = notBefore.getTime() + lifetimeMs;
  const attributes = before.subject.attributes.map(({ type, value }) =>
    issuer !== 'self' && type === OID.commonName
      ? { type, value: `${value.replace(/ \d+$/, '')} ${generation}` }
      : { type, value },
  );
  return {
    profile: profile as ProfileName,
    serialNumber,
    subject: attributes,
    spkiDer,
    notBefore,
    notAfter: new Date(issuer === 'self' ? end : Math.min(end, issuer.notAfter.getTime())),
  };
}

/** The same authority, name and key and end, for another issuer to sign. */
export function againDescription(
  profile: string,
  certificate: ParsedCertificate,
  issuer: ParsedCertificate,
  serialNumber: SerialNumber,
  now: Date,
): CertificateDescription {
  const { subject, spkiDer, notBefore, notAfter } = certificate;
  return {
    profile: profile as ProfileName,
    serialNumber,
    subject: subject.attributes.map(({ type, value }) => ({ type, value })),
    spkiDer,
    // A cross certificate looks back as far as what it stands for (RFC 4210 §4.4.1); nothing begins later than now.
    notBefore: new Date(Math.min(notBefore.getTime(), now.getTime() - BACKDATE_MS)),
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
  };
}
