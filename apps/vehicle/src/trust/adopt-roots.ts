/** Which roots a vehicle trusts after it has heard from the platform: a new one counts only by the signature of one that it trusts already. */
import { X509Certificate } from 'node:crypto';
import type { ParsedCertificate } from '@outrider/x509';

/**
 * The roots in `offered` that are trusted by a cross certificate in it (RFC 4210 §4.4, RFC 7030 §4.1.3), directly or over others that
 * are. It does not matter how `offered` came here: what has no signature by a trusted root changes nothing.
 * @param trusted the roots of now; one that has expired vouches for nobody.
 * @param whom `successors`: only roots that begin after the one that vouches. OldWithNew is public and outlives a rollover, and whoever
 * has stolen the old key offers it: by the word of a server that is not believed no root goes back to the one before.
 * @returns the new ones alone.
 */
export function rootsVouchedFor(
  trusted: readonly ParsedCertificate[],
  offered: readonly ParsedCertificate[],
  now: Date,
  whom: 'any' | 'successors',
): ParsedCertificate[] {
  const roots = offered.filter((each) => isRoot(each) && isAuthority(each, now));
  const crosses = offered.filter((each) => sameName(each) && !isRoot(each) && isAuthority(each, now));
  // A cross certificate begins when the root does that it stands for; of the two only it is signed by whom we trust.
  const vouches = (root: ParsedCertificate, cross: ParsedCertificate) =>
    (whom === 'any' || cross.notBefore > root.notBefore) && isSignedBy(cross, root);
  const known = trusted.filter((each) => isAuthority(each, now));
  const found: ParsedCertificate[] = [];
  for (let before = -1; before < found.length; ) {
    before = found.length;
    const vouched = crosses.filter((cross) => [...known, ...found].some((root) => vouches(root, cross)));
    for (const root of roots) {
      const isNew = ![...trusted, ...found].some((each) => each.thumbprint === root.thumbprint);
      if (isNew && vouched.some((cross) => isSame(cross, root)) && isSignedBy(root, root)) found.push(root);
    }
  }
  return found;
}

/** The trusted roots that the platform names no more; none where it names none that is trusted: such an answer says nothing. */
export function rootsGone(
  trusted: readonly ParsedCertificate[],
  offered: readonly ParsedCertificate[],
): ParsedCertificate[] {
  const named = (root: ParsedCertificate) => offered.some(({ thumbprint }) => thumbprint === root.thumbprint);
  return trusted.some(named) ? trusted.filter((root) => !named(root)) : [];
}

function sameName({ issuer, subject }: ParsedCertificate): boolean {
  return Buffer.from(issuer.der).equals(subject.der);
}

function isRoot(certificate: ParsedCertificate): boolean {
  const { authorityKeyId, subjectKeyId } = certificate;
  return sameName(certificate) && (authorityKeyId === undefined || authorityKeyId === subjectKeyId);
}

function isAuthority({ basicConstraints, keyUsage, notBefore, notAfter }: ParsedCertificate, now: Date): boolean {
  const maySign = basicConstraints?.ca === true && keyUsage?.includes('keyCertSign') === true;
  return maySign && notBefore <= now && now <= notAfter;
}

function isSame(a: ParsedCertificate, b: ParsedCertificate): boolean {
  return a.keyThumbprint === b.keyThumbprint && Buffer.from(a.subject.der).equals(b.subject.der);
}

function isSignedBy(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  if (!Buffer.from(certificate.issuer.der).equals(issuer.subject.der)) return false;
  if (certificate.authorityKeyId !== undefined && certificate.authorityKeyId !== issuer.subjectKeyId) return false;
  return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
}
