import { createPublicKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { coseToBeSigned, parseCoseSign1 } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import { verifyCoseSign1 } from './cose.js';
import { verificationKeyOf } from './verification-key.js';

interface Vector {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: {
    readonly sign0: { readonly key: { crv: string; x: string; y: string }; readonly external?: string };
  };
  readonly intermediates: { readonly ToBeSign_hex: string };
  readonly output: { readonly cbor: string };
}

/** Its `alg` is not protected; RFC 9052 lets that pass where the application asks for it, none of our protocols does. */
const UNPROTECTED_ALGORITHM = 'sign-pass-01.json';

const folder = fileURLToPath(new URL('../../../../shared/vectors/cose-sign1', import.meta.url));
const present = existsSync(folder);
const names = present ? readdirSync(folder).filter((name) => name.endsWith('.json')) : ['absent'];

(present ? describe : describe.skip)(
  `published COSE_Sign1 vectors${present ? '' : ' (absent: ../shared/vectors/cose-sign1)'}`,
  () => {
    test.each(names)('%s', (name) => {
      const vector = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Vector;
      const { key, external = '' } = vector.input.sign0;
      const { crv, x, y } = key;
      const jwk = { kty: 'EC', crv, x, y };
      const verifier = verificationKeyOf(createPublicKey({ key: jwk, format: 'jwk' }));
      const aad = Buffer.from(external, 'hex');
      const judge = (unprotectedAlgorithm: boolean) => {
        try {
          const cose = parseCoseSign1(Buffer.from(vector.output.cbor, 'hex'), 1000);
          const { ok } = verifyCoseSign1(cose, verifier, { externalAad: aad, unprotectedAlgorithm });
          if (ok)
            expect(coseToBeSigned(cose, aad).toString('hex')).toBe(vector.intermediates.ToBeSign_hex.toLowerCase());
          return ok;
        } catch (error) {
          if (error instanceof DomainError) return false;
          throw error;
        }
      };
      expect(judge(true)).toBe(name.startsWith('sign-pass'));
      expect(judge(false)).toBe(name.startsWith('sign-pass') && name !== UNPROTECTED_ALGORITHM);
    });
  },
);
