import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { SerialNumber } from '@outrider/ids';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { type CrlForm, type CrlReason, encodeCrlEntries } from '@outrider/x509';
import { EntriesIntake } from './entries-intake.js';

const NOW = new Date('2026-03-01T12:00:00Z');
let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});

const form = (changes: Partial<CrlForm> = {}): CrlForm => ({
  issuer: fleet.vehicleCa.certificate,
  crlNumber: 7,
  thisUpdate: NOW,
  nextUpdate: new Date(NOW.getTime() + 3_600_000),
  ...changes,
});
const entries = (serials: readonly string[], reason?: CrlReason, revokedAt = NOW) =>
  encodeCrlEntries(serials.map((serial) => ({ serialNumber: SerialNumber.parse(serial), revokedAt, reason }))).der;
const claimOf = (count: number, ...parts: readonly Uint8Array[]) => {
  const all = Buffer.concat(parts);
  return { count, bytes: all.length, sha256: createHash('sha256').update(all).digest('hex') };
};

function takeAll(claim: ReturnType<typeof claimOf>, parts: readonly Uint8Array[], changes: Partial<CrlForm> = {}) {
  const intake = new EntriesIntake(claim, form(changes));
  for (const part of parts) intake.take(part);
  intake.close();
}

const refused = expect.objectContaining({ code: 'ca.request_refused' });

describe('EntriesIntake', () => {
  it('takes what was claimed, in as many parts as it comes in', () => {
    const parts = [entries(['0a', '0b']), entries(['0c'], 'keyCompromise')];
    expect(() => takeAll(claimOf(3, ...parts), parts)).not.toThrow();
    expect(() => takeAll(claimOf(0), [])).not.toThrow();
  });

  test.each<[string, () => [ReturnType<typeof claimOf>, Uint8Array[]]]>([
    ['fewer than were claimed', () => [claimOf(2, entries(['0a', '0b'])), [entries(['0a'])]]],
    ['more than were claimed', () => [claimOf(1, entries(['0a'])), [entries(['0a']), entries(['0b'])]]],
    ['another of the same length', () => [claimOf(1, entries(['0a'])), [entries(['0b'])]]],
    ['another count', () => [claimOf(2, entries(['0a'])), [entries(['0a'])]]],
    ['a part of nothing', () => [claimOf(1, entries(['0a'])), [new Uint8Array(), entries(['0a'])]]],
    ['an order that goes back from part to part', () => both(['0b'], ['0a'])],
    ['one serial number in two parts', () => both(['0a', '0b'], ['0b'])],
    ['a revocation that is to come', () => whole(entries(['0a'], undefined, new Date(NOW.getTime() + 1000)))],
    ['a revocation from another century', () => whole(entries(['0a'], undefined, new Date('1999-01-01T00:00:00Z')))],
    ['a full list that takes something off', () => whole(entries(['0a'], 'removeFromCRL'))],
    ['an entry cut by the end of a part', () => halves(entries(['0a', '0b']))],
  ])('refuses %s', (_, make) => {
    const [claim, parts] = make();
    expect(() => takeAll(claim, parts)).toThrow(refused);
  });

  it('lets a delta take something off', () => {
    const part = entries(['0a'], 'removeFromCRL');
    expect(() => takeAll(claimOf(1, part), [part], { baseCrlNumber: 6 })).not.toThrow();
  });
});

function both(first: string[], second: string[]): [ReturnType<typeof claimOf>, Uint8Array[]] {
  const parts = [entries(first), entries(second)];
  return [claimOf(first.length + second.length, ...parts), parts];
}

function whole(part: Uint8Array): [ReturnType<typeof claimOf>, Uint8Array[]] {
  return [claimOf(1, part), [part]];
}

function halves(all: Uint8Array): [ReturnType<typeof claimOf>, Uint8Array[]] {
  return [claimOf(2, all), [all.subarray(0, 5), all.subarray(5)]];
}
