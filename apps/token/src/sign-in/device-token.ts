/** Writes and recognises what a device shows that its person has signed in with it: it is no credential, it only waits in a queue of its own. */
import { timingSafeEqual } from 'node:crypto';

/** Seconds that a device is known. */
export const DEVICE_TOKEN_SECONDS = 90 * 86_400;
const FORMAT = /^([0-9a-f]{32})\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/;

/** A keyed digest (HMAC-SHA-256). */
export type Mac = (text: string) => Buffer;

/** `nonce`: 32 hex digits, random. */
export function deviceToken(accountId: string, nonce: string, nowMs: number, mac: Mac): string {
  const until = Math.floor(nowMs / 1000) + DEVICE_TOKEN_SECONDS;
  return `${nonce}.${until}.${mac(signed(accountId, nonce, String(until))).toString('base64url')}`;
}

/** The device's nonce, where the token is this account's and still good; a stranger made up everything else. */
export function knownDevice(token: string | undefined, accountId: string, nowMs: number, mac: Mac): string | undefined {
  const [, nonce, until, proof] = FORMAT.exec(token ?? '') ?? [];
  if (!nonce || !until || !proof) return undefined;
  if (!timingSafeEqual(Buffer.from(proof, 'base64url'), mac(signed(accountId, nonce, until)))) return undefined;
  return Number(until) * 1000 > nowMs ? nonce : undefined;
}

function signed(accountId: string, nonce: string, until: string): string {
  return `outrider/sign-in-device/v1/${accountId}/${nonce}/${until}`;
}
