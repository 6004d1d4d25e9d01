/** What `csrattrs` tells of a label (RFC 7030 §4.5): which requests will be taken under it. */
import { csrAttributes } from '@outrider/x509';
import type { LabelPolicy } from '../label/label.js';

const KEY_ALGORITHMS = 3;

/**
 * DER of CsrAttrs; undefined where the client may do as it likes. A label's first key algorithm is the one it prefers, and a list of
 * attributes cannot offer a choice; where every one is taken none is named.
 */
export function wantedAttributes(
  policy: Pick<LabelPolicy, 'keyAlgorithms' | 'channelBinding'>,
): Uint8Array | undefined {
  const takesAll = new Set(policy.keyAlgorithms).size === KEY_ALGORITHMS;
  return csrAttributes({
    keyAlgorithm: takesAll ? undefined : policy.keyAlgorithms[0],
    challengePassword: policy.channelBinding === 'required',
  });
}
