import { describe, expect, it } from '@jest/globals';
import { HASH_COST, hashPassword, isPassword, needsRehash } from './password-hash.js';

const SALT = Buffer.alloc(16, 7);
const CHEAP = { memoryKib: 64, passes: 1, lanes: 1 };

describe('a password hash', () => {
  it('is a PHC string with what it costs, and verifies the password alone', async () => {
    const encoded = await hashPassword('correct horse battery', SALT, CHEAP);
    expect(encoded).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(await isPassword('correct horse battery', encoded)).toBe(true);
    expect(await isPassword('correct horse batterz', encoded)).toBe(false);
    expect(await isPassword('', encoded)).toBe(false);
  });

  it('takes composed and decomposed characters for the same', async () => {
    expect(await isPassword('pa\u0301ssword one', await hashPassword('p\u00e1ssword one', SALT, CHEAP))).toBe(true);
  });

  it('is made anew at another cost', async () => {
    expect(needsRehash(await hashPassword('x', SALT, CHEAP))).toBe(true);
    expect(needsRehash(await hashPassword('x', SALT))).toBe(false);
    expect(HASH_COST.memoryKib).toBeGreaterThanOrEqual(19_456);
  });

  it.each(['', 'plain', '$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AA'])('is not %p', async (text) => {
    await expect(isPassword('x', text)).rejects.toThrow(/is none/);
  });
});
