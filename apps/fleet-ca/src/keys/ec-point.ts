/** Elliptic curve keys as PKCS#11 has them (curve parameters, a point in an OCTET STRING) and as certificates have them. */
import { DomainError } from '@outrider/errors';

export type Curve = 'P-256' | 'P-384';

/** CKA_EC_PARAMS: the DER of the curve's object identifier. */
export const CURVE_PARAMETERS: Readonly<Record<Curve, Buffer>> = {
  'P-256': Buffer.from('06082a8648ce3d030107', 'hex'),
  'P-384': Buffer.from('06052b81040022', 'hex'),
};

/** DER of AlgorithmIdentifier and the head of the BIT STRING, up to the point. */
const SPKI_HEAD: Readonly<Record<Curve, Buffer>> = {
  'P-256': Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
  'P-384': Buffer.from('3076301006072a8648ce3d020106052b81040022036200', 'hex'),
};
const POINT_BYTES: Readonly<Record<Curve, number>> = { 'P-256': 65, 'P-384': 97 };

/**
 * @param point CKA_EC_POINT: an uncompressed point in a DER OCTET STRING (PKCS#11 v2.40 §2.3.3), or, by some tokens, as it is.
 * @returns DER of SubjectPublicKeyInfo.
 * @throws DomainError `ca.key_unavailable` for another curve or a compressed point.
 */
export function spkiOfPoint(parameters: Buffer, point: Buffer): Uint8Array {
  const curve = (['P-256', 'P-384'] as const).find((each) => CURVE_PARAMETERS[each].equals(parameters));
  if (curve === undefined) throw new DomainError('ca.key_unavailable', { detail: 'a key on another curve' });
  const length = POINT_BYTES[curve];
  const wrapped = point[0] === 0x04 && point[1] === length && point.length === length + 2;
  const bare = wrapped ? point.subarray(2) : point;
  if (bare.length !== length || bare[0] !== 0x04) {
    throw new DomainError('ca.key_unavailable', { detail: 'not an uncompressed point' });
  }
  return new Uint8Array(Buffer.concat([SPKI_HEAD[curve], bare]));
}
