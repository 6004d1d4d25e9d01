/** When the command signer's certificate is asked for anew: at half its life, so that a fleet-ca that is away for hours stops nothing. */
export function renewalDue(certificate: { notBefore: Date; notAfter: Date }, now: Date): boolean {
  const half = (certificate.notAfter.getTime() - certificate.notBefore.getTime()) / 2;
  return now.getTime() >= certificate.notBefore.getTime() + half;
}

/** Whether it still signs: a vehicle refuses an expired signer. A minute is kept for the way and for its clock. */
export function canSign(certificate: { notAfter: Date }, now: Date): boolean {
  return now.getTime() + 60_000 < certificate.notAfter.getTime();
}
