/** When the certificate of an OCSP signer may be used, and when it is time for the next. */
import type { ParsedCertificate } from '@outrider/x509';

type Life = Pick<ParsedCertificate, 'notBefore' | 'notAfter'>;

export function isValid({ notBefore, notAfter }: Life, now: Date): boolean {
  return notBefore <= now && now < notAfter;
}

/** From the half of its life on: fleet-ca may be away for the other half. */
export function isDue(certificate: Life | undefined, now: Date): boolean {
  if (certificate === undefined) return true;
  return now.getTime() >= (certificate.notBefore.getTime() + certificate.notAfter.getTime()) / 2;
}
