/** Whether a signed list says what was asked for, and nothing else: byte for byte around its entries. */
import { type CrlForm, crlAround, type TbsAround } from '@outrider/x509';

/** BIT STRING, one octet of length or two, no unused bits. */
const SIGNATURE = /^03(?:[0-7][0-9a-f]|81[89a-f][0-9a-f])00((?:[0-9a-f]{2})+)$/;
/** SEQUENCE { OBJECT IDENTIFIER } of ECDSA with SHA-256 or SHA-384. */
const ALGORITHM_BYTES = 12;

/** @returns the signature, which is still to be verified; undefined where anything else is said. */
export function signedAround(
  { head, tail }: TbsAround,
  form: CrlForm,
  tbs: TbsAround,
  entriesBytes: number,
): Uint8Array | undefined {
  const rest = Buffer.from(tail.subarray(tbs.tail.length + ALGORITHM_BYTES)).toString('hex');
  const signature = Buffer.from(SIGNATURE.exec(rest)?.[1] ?? '', 'hex');
  const expected = crlAround(form, tbs, entriesBytes, signature);
  const same = Buffer.compare(expected.head, head) === 0 && Buffer.compare(expected.tail, tail) === 0;
  return same && signature.length > 0 ? signature : undefined;
}
