import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { thumbprint, verificationKey } from '@outrider/crypto';
import { CommandId, DeviceId } from '@outrider/ids';
import { parseCertificate } from '@outrider/x509';
import type { Command } from '../command/command.js';
import { lastCounterOf, signerOf, stateOf, verifyOutcome } from './outcome.js';

/** One file a case under `vectors/command`, made by another implementation (`vectors/command.py`). */
interface Vector {
  readonly certificate: string;
  readonly command: { readonly id: string; readonly device_id: string; readonly jws?: string; readonly cose?: string };
  readonly outcome: string;
  /** The state that it leads to, or `refuse`. */
  readonly expected: string;
}

const folder = new URL('../../../../vectors/command/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.startsWith('outcome-'));

test('there are enough of them', () => {
  expect(files.length).toBeGreaterThan(10);
});

test.each(files)('vectors/command/%s', (name) => {
  const { certificate, command, outcome, expected } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector;
  const { spkiDer, der } = parseCertificate(certificate);
  const jws = command.jws ?? (command.cose === undefined ? null : `cose:${command.cose}`);
  const released = { id: CommandId.parse(command.id), deviceId: DeviceId.parse(command.device_id), jws } as Command;
  const verdict = () => verifyOutcome(outcome, verificationKey(spkiDer), released);
  if (expected === 'refuse') return expect(verdict).toThrow('command.outcome_invalid');
  expect(signerOf(outcome)).toBe(thumbprint(der));
  expect(stateOf(verdict().result)).toBe(expected);
  const last = lastCounterOf(verdict());
  expect(last).toEqual(name.includes('refused-by-counter') ? { epoch: 1, counter: 41 } : undefined);
});
