import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { ReceiptsStore } from './receipts.store.js';

it('keeps the receipt of every answer that has one, a line each, for its owner alone', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'outrider-receipts-'));
  const file = join(directory, 'state', 'receipts.ndjson');
  for (const body of [
    '{"results":[],"receipt":"a.b.c"}',
    '{"results":[]}',
    '<html>',
    '{"code":"x","receipt":"d.e.f"}',
  ]) {
    await new ReceiptsStore(join(directory, 'state')).keep(body);
  }
  expect(readFileSync(file, 'utf8')).toBe('{"receipt":"a.b.c"}\n{"receipt":"d.e.f"}\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  rmSync(directory, { recursive: true });
});
