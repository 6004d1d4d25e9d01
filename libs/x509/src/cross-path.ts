/** Cross certificates between roots (RFC 4210 §4.4): which of them a party sends along. */
import type { ParsedCertificate } from './parse-certificate.js';

/**
 * What is sent after an issuing CA's certificate during a root rollover and after: the cross certificates by which who trusts another
 * root comes to the one that has signed it. Each leads to a root that none before it led to. OpenSSL follows the first for each key
 * alone, so `crosses` begins with those that matter most.
 */
export function crossPath(authority: ParsedCertificate, crosses: readonly ParsedCertificate[]): ParsedCertificate[] {
  const path: ParsedCertificate[] = [];
  const keys = [authority.authorityKeyId];
  for (const key of keys) {
    for (const cross of crosses) {
      if (cross.subjectKeyId !== key || keys.includes(cross.authorityKeyId)) continue;
      path.push(cross);
      keys.push(cross.authorityKeyId);
    }
  }
  return path;
}
