/** CSR attributes (RFC 7030 §4.5.2, RFC 9908): what a server wants to find in a request, in the plain form that every client reads. */
import { objectIdentifier, sequence, setOf } from './der-write.js';
import { OID } from './oids.js';

export interface WantedOfRequests {
  /** The key to make; undefined: the client may choose. */
  readonly keyAlgorithm?: 'P-256' | 'P-384' | 'Ed25519' | undefined;
  /** Whether the request must carry the channel binding. */
  readonly challengePassword: boolean;
}

/**
 * DER of CsrAttrs, or undefined where there is nothing to say (the answer is then 204). A curve is the value of an ecPublicKey
 * Attribute: as a bare identifier it would name no kind of attribute.
 */
export function csrAttributes({ keyAlgorithm, challengePassword }: WantedOfRequests): Uint8Array | undefined {
  const wanted = [
    ...(challengePassword ? [objectIdentifier(OID.challengePassword)] : []),
    ...(keyAlgorithm ? KEY_ATTRIBUTES[keyAlgorithm] : []),
  ];
  return wanted.length === 0 ? undefined : sequence(...wanted);
}

const onCurve = (curve: string) => sequence(objectIdentifier(OID.ecPublicKey), setOf([objectIdentifier(curve)]));

/** The key, then the signature to go with it. Ed25519's one identifier names both (RFC 8410 §3). */
const KEY_ATTRIBUTES: Readonly<Record<'P-256' | 'P-384' | 'Ed25519', readonly Uint8Array[]>> = {
  'P-256': [onCurve(OID.p256), objectIdentifier(OID.ecdsaWithSha256)],
  'P-384': [onCurve(OID.p384), objectIdentifier(OID.ecdsaWithSha384)],
  Ed25519: [objectIdentifier(OID.ed25519)],
};
