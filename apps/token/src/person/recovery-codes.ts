/** Writes and recognises recovery codes: ten, of 80 random bits each, which is why a plain digest keeps them. */
import { createHash } from 'node:crypto';

export const RECOVERY_CODES = 10;
export const RECOVERY_CODE_BYTES = 10;
/** Crockford's base32: no I, L, O, U to misread. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `XXXX-XXXX-XXXX-XXXX` of ten random bytes. */
export function recoveryCode(random: Uint8Array): string {
  let bits = BigInt(`0x${Buffer.from(random).toString('hex')}`);
  let text = '';
  for (let digit = 0; digit < 16; digit += 1) {
    text = ALPHABET[Number(bits & 31n)] + text;
    bits >>= 5n;
  }
  return text.match(/.{4}/g)!.join('-');
}

/** What is stored: SHA-256 over the account and the code, however it was typed. */
export function recoveryDigest(accountId: string, code: string): Buffer {
  const typed = code.toUpperCase().replace(/[\s-]/g, '').replace(/[IL]/g, '1').replaceAll('O', '0');
  return createHash('sha256').update(`outrider/recovery-code/v1/${accountId}/${typed}`).digest();
}
