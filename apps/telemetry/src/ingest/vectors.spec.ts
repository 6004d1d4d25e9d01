import { readdirSync, readFileSync } from 'node:fs';
import { expect, it, test } from '@jest/globals';
import { verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { refuseAll } from './check-batch.js';
import { checkBinding, checkMessage } from './check-message.js';
import type { Envelope } from './envelope.js';
import { readBody } from './read-body.js';
import type { Checked } from './verified-record.js';

/** One file a case, made by vectors/telemetry.py with none of our code. `code`: null where the record verifies. */
interface Vector {
  readonly device_id: string;
  readonly now: number;
  /** SPKI, hex: of the connection's certificate, whose thumbprint is this one. */
  readonly public_key: string;
  readonly thumbprint: string;
  readonly content_type: string;
  readonly body: { readonly text: string } | { readonly hex: string };
  /** Of the whole body. */
  readonly refused?: string;
  readonly results?: readonly { seq: number | null; code: string | null; canonical_sha256?: string }[];
}

const folder = new URL('../../../../vectors/telemetry/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

test.each(names)('%s', (name) => {
  const vector = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector;
  const { refused, results } = vector;
  expect(judge(vector)).toEqual(refused === undefined ? { results } : { refused });
});

it('are there, of every format, good and bad', () => {
  expect(names.length).toBeGreaterThan(150);
});

function judge(vector: Vector): Pick<Vector, 'refused' | 'results'> {
  try {
    const body = 'hex' in vector.body ? Buffer.from(vector.body.hex, 'hex') : Buffer.from(vector.body.text);
    const checked = readBody(body, vector.content_type).messages.flatMap((message) =>
      'unreadable' in message ? [{ refused: message.unreadable, seq: message.seq }] : check(message, vector),
    );
    return { results: checked.map(toResult) };
  } catch (error) {
    if (error instanceof DomainError) return { refused: error.code };
    throw error;
  }
}

/** As the service does it, with the connection's certificate the only one that is known. */
function check(message: Envelope, vector: Vector): readonly Checked[] {
  const thumbprint = Thumbprint.parse(vector.thumbprint);
  const signer = { thumbprint, key: verificationKey(Buffer.from(vector.public_key, 'hex')) };
  try {
    checkBinding(message, DeviceId.parse(vector.device_id));
    if ((message.kid ?? thumbprint) !== thumbprint) throw new DomainError('telemetry.unknown_kid');
    return checkMessage(message, signer, { nowMs: vector.now * 1000, skewSeconds: 120, tokenId: 'token-1' });
  } catch (error) {
    if (error instanceof DomainError) return refuseAll(error, message.seq, message.batchOf ?? 1);
    throw error;
  }
}

function toResult(one: Checked) {
  if ('refused' in one) return { seq: one.seq, code: one.refused.code };
  return { seq: one.seq, code: null, canonical_sha256: one.canonicalSha256 };
}
