/** Cross certificates between roots (RFC 4210 §4.4): which of them a party sends along. */
import type { ParsedCertificate } from './parse-certificate.js';

/**
 * What is sent after an issuing CA's certificate during a root rollover and after: the cross certificates by which who trusts another
 * root comes to the one that has signed it.
 */
export function crossPath(authority: ParsedCertificate, crosses: readonly ParsedCertificate[]): ParsedCertificate[] {
  const path: ParsedCertificate[] = [];
  let key = authority.authorityKeyId;
  for (let next = crosses.find(({ subjectKeyId }) => subjectKeyId === key); next && !path.includes(next); ) {
    path.push(next);
    key = next.authorityKeyId;
    next = crosses.find(({ subjectKeyId }) => subjectKeyId === key);
  }
  return path;
}
