/** Hashes passwords with Argon2id (RFC 9106), written as `$argon2id$v=19$m=..,t=..,p=..$salt$hash` (the PHC string format). */
import { argon2, timingSafeEqual } from 'node:crypto';

/** `memoryKib`: KiB; `passes`, `lanes`: counts. */
export interface HashCost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane. */
export const HASH_COST: HashCost = { memoryKib: 19_456, passes: 2, lanes: 1 };
export const SALT_BYTES = 16;
const HASH_BYTES = 32;
const FORMAT = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** `salt`: 16 random bytes. Two ways of typing the same characters are the same password (NFKC). */
export async function hashPassword(password: string, salt: Uint8Array, cost: HashCost = HASH_COST): Promise<string> {
  const hash = await derive(password, salt, cost);
  const { memoryKib, passes, lanes } = cost;
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`;
}

/** Throws a plain error for what `hashPassword` has not written. */
export async function isPassword(password: string, encoded: string): Promise<boolean> {
  const { cost, salt, hash } = parse(encoded);
  return timingSafeEqual(await derive(password, salt, cost), hash);
}

/** Whether it was made at another cost than today's. */
export function needsRehash(encoded: string, cost: HashCost = HASH_COST): boolean {
  const { memoryKib, passes, lanes } = parse(encoded).cost;
  return memoryKib !== cost.memoryKib || passes !== cost.passes || lanes !== cost.lanes;
}

function parse(encoded: string): { cost: HashCost; salt: Buffer; hash: Buffer } {
  const [, memoryKib, passes, lanes, salt, hash] = FORMAT.exec(encoded) ?? [];
  if (!salt || !hash) throw new Error('a stored password hash is none');
  const cost = { memoryKib: Number(memoryKib), passes: Number(passes), lanes: Number(lanes) };
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

function derive(password: string, salt: Uint8Array, { memoryKib, passes, lanes }: HashCost): Promise<Buffer> {
  const message = password.normalize('NFKC');
  const parameters = { message, nonce: salt, parallelism: lanes, tagLength: HASH_BYTES, memory: memoryKib, passes };
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
