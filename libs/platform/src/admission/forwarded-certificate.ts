/** Finds and strips the headers by which a proxy forwards a client certificate (RFC 9440, Envoy's XFCC): only what comes from a configured one is read before. */

const NAMES = ['client-cert', 'client-cert-chain', 'x-forwarded-client-cert'] as const;

/** Removes them from `headers` and returns the names of those that were there. */
export function stripForwardedCertificate(headers: Record<string, unknown>): string[] {
  const found = NAMES.filter((name) => headers[name] !== undefined);
  for (const name of found) delete headers[name];
  return found;
}
