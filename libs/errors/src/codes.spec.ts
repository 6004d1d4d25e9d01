import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from '@jest/globals';
import { codesPage } from './codes-page.js';
import { CODES, DomainError, isErrorCode } from './index.js';

test('docs/errors.md lists every code as it is', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8')).toBe(codesPage());
});

it('gives each code an HTTP error status, and 503 and 429 alone say that waiting helps by themselves', () => {
  for (const [code, { status, title }] of Object.entries(CODES)) {
    expect({ code, ok: status >= 400 && status < 600 && title.endsWith('.') }).toEqual({ code, ok: true });
  }
});

it('carries its cause, and takes nothing for a code that is not in the table', () => {
  const cause = new Error('underneath');
  expect(new DomainError('telemetry.replayed', { cause, detail: 'seq 7' })).toMatchObject({
    cause,
    status: 409,
    message: 'telemetry.replayed: seq 7',
  });
  expect(['telemetry.replayed', 'toString', '__proto__', 7].map(isErrorCode)).toEqual([true, false, false, false]);
});
