/** Decides whether telemetry signed a statement: by a key that the infrastructure CA certified for that service, at the statement's own time. */
import { type JwsTyp, parseJws, verificationKey, verifyJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate, validateChain } from '@outrider/x509';
import { z } from 'zod';

const X5c = z.array(z.base64()).min(1).max(3);
const SIGNER = /^spiffe:\/\/[^/]+\/service\/telemetry$/;
export const MAX_STATEMENT_BYTES = 1_048_576;

/** `signer`: of the key that signed; `payload`: its bytes, verified. */
export type StatementVerdict =
  | { readonly ok: false; readonly reason: string }
  | { readonly ok: true; readonly payload: Uint8Array; readonly signer: ParsedCertificate };

/**
 * @param at reads from the payload when it was made: its certificate must have been valid then; undefined is refused
 * @param anchors the fleet root, or the infrastructure CA
 * @param intermediates more that may lie on the path, believed no further
 */
export function verifyStatement(
  compact: string,
  typ: JwsTyp,
  at: (payload: Uint8Array) => Date | undefined,
  anchors: readonly ParsedCertificate[],
  intermediates: readonly ParsedCertificate[] = [],
): StatementVerdict {
  try {
    const jws = parseJws(compact.trim(), MAX_STATEMENT_BYTES);
    const x5c = X5c.safeParse(jws.header.x5c);
    if (!x5c.success) return refused('no x5c with the certificate of the signing service');
    const [leaf, ...rest] = x5c.data.map((der) => parseCertificate(der)) as [ParsedCertificate, ...ParsedCertificate[]];
    const verdict = verifyJws(jws, verificationKey(leaf.spkiDer), { typ, allowedHeaders: ['x5c'] });
    if (!verdict.ok) return refused(`the signature: ${verdict.reason}`);
    if (leaf.sanUris.length !== 1 || !SIGNER.test(leaf.sanUris[0]!)) {
      return refused("the signer's certificate is not that of the telemetry service");
    }
    const now = at(jws.payload);
    if (!now) return refused('it does not say when it was made');
    validateChain(leaf, [...rest, ...intermediates], anchors, { now, purpose: 'clientAuth' });
    return { ok: true, payload: jws.payload, signer: leaf };
  } catch (error) {
    if (error instanceof DomainError) return refused(error.detail ?? error.title);
    throw error;
  }
}

function refused(reason: string): StatementVerdict {
  return { ok: false, reason };
}
