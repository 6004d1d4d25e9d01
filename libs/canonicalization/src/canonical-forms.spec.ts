import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jcsOfSlice, signedForms, tokenPreservingCanonical } from './canonical-forms.js';
import { canonicalize } from './canonicalize.js';
import { scanJson } from './scan-json.js';

const scan = (text: string) => scanJson(Buffer.from(text), { maxBytes: 1_048_576, maxDepth: 64 }).root;
const forms = (text: string) => [...signedForms(scan(text))].map((form) => form.toString());

/** Any JSON value but those that the scan refuses: no lone surrogates, no integers beyond 2^53-1. */
const text = fc.string({ unit: 'binary', maxLength: 8 });
const number = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => Number.isSafeInteger(value) || !/^-?\d+$/.test(String(value)));
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(text, number, fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 5 }),
  ),
}));

describe('signedForms', () => {
  it('is one form for a message that JCS and the sender print alike', () => {
    expect(forms('{"seq":1, "device_id":"device-1"}')).toEqual(['{"device_id":"device-1","seq":1}']);
  });

  it('adds the tokens as sent where a number or an escape is printed otherwise', () => {
    expect(forms('{"speed": 42.0, "name": "\\u00e9", "a": [1.50 , true]}')).toEqual([
      '{"a":[1.5,true],"name":"é","speed":42}',
      '{"a":[1.50,true],"name":"\\u00e9","speed":42.0}',
    ]);
  });

  it('adds the other order of names where the two differ', () => {
    expect(forms('{"\\ud83d\\ude00":1,"\\uffee":2}')).toEqual([
      '{"😀":1,"\uffee":2}',
      '{"\\uffee":2,"\\ud83d\\ude00":1}',
      '{"\\ud83d\\ude00":1,"\\uffee":2}',
    ]);
  });

  it('gives forms that all are JSON of the same value', () => {
    fc.assert(
      fc.property(json, (value) => {
        const node = scan(canonicalize(value));
        for (const form of signedForms(node))
          expect(canonicalize(JSON.parse(form.toString()))).toBe(jcsOfSlice(node).toString());
      }),
    );
  });
});

const python = spawnSync('python3', ['--version']).status === 0;

(python ? describe : describe.skip)(`tokenPreservingCanonical${python ? '' : ' (absent: python3)'}`, () => {
  it("is Python's json.dumps with sorted keys and no white space, byte for byte", () => {
    const samples = fc.sample(fc.dictionary(text, json), { numRuns: 300, seed: 8785 });
    const program = `
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    for ascii in (True, False):
        print(json.dumps(value, ensure_ascii=ascii))
        print(json.dumps(value, separators=(',', ':'), sort_keys=True, ensure_ascii=ascii))
`;
    const input = samples.map((sample) => `${canonicalize(sample)}\n`).join('');
    const run = spawnSync('python3', ['-c', program], {
      input,
      env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
      maxBuffer: 1 << 28,
    });
    expect(run.stderr.toString()).toBe('');
    const lines = run.stdout.toString().split('\n');
    expect(lines).toHaveLength(samples.length * 4 + 1);
    for (let at = 0; at + 1 < lines.length; at += 2) {
      expect(tokenPreservingCanonical(scan(lines[at]!)).toString()).toBe(lines[at + 1]);
    }
  });
});
