import { describe, expect, it } from '@jest/globals';
import type { RevocationReason } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { HeldCertificate } from '../hold/release.js';
import { releaseLines, revokeLines } from './decide-lines.js';
import type { LineKind } from './job.js';
import type { Known } from './world.js';

const NOW = new Date('2026-01-01T12:00:00Z');
const GRACE_MS = 60_000;

function certificate(n: number, device: string, reasons: RevocationReason[] = [], parts: object = {}): HeldCertificate {
  const ref = {
    deviceId: DeviceId.parse(device),
    issuerKeyId: 'a'.repeat(40),
    serialNumber: SerialNumber.parse(`0${n}`),
    thumbprint: Thumbprint.parse(`${`${n}`.repeat(42)}A`),
    keyThumbprint: `k${n}`.padEnd(43, 'k'),
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2026-01-02T00:00:00.000Z',
    ...parts,
  };
  return { ref, reasons, held: reasons.flatMap((reason, i) => (reason === 'certificateHold' ? [`${n}${i}`] : [])) };
}

const known = (...certificates: HeldCertificate[]): Known => ({ certificates, devices: new Map(), keys: new Map() });
const named = (...lines: [LineKind, string][]) => lines.map(([kind, value], i) => ({ line: i + 1, kind, value }));
const outcomes = ({ settled }: { settled: readonly { outcome: string }[] }) => settled.map(({ outcome }) => outcome);
const [one, two] = [certificate(1, 'car-1'), certificate(2, 'car-1')];

describe('lines of a revocation', () => {
  const revoke = (reason: RevocationReason, world: Known, ...lines: [LineKind, string][]) =>
    revokeLines(named(...lines), world, reason, GRACE_MS, NOW);

  it('change something once, whatever names it and however often', () => {
    const lines: [LineKind, string][] = [
      ['thumbprint', one.ref.thumbprint],
      ['serial', '01'],
      ['device', 'car-1'],
      ['thumbprint', two.ref.thumbprint],
      ['serial', '09'],
    ];
    const decided = revoke('superseded', known(one, two), ...lines);
    expect(outcomes(decided)).toEqual(['revoked', 'unchanged', 'revoked', 'unchanged', 'unknown']);
    expect(decided.counts).toEqual({ revoked: 2, unchanged: 2, unknown: 1, certificates: 2, devices: 1 });
    expect(decided.decided.flatMap(({ fresh }) => fresh)).toHaveLength(2);
  });

  it('of a compromise take along each certificate of the device once', () => {
    const decided = revoke('keyCompromise', known(one, two), ['serial', '01'], ['serial', '02']);
    expect(outcomes(decided)).toEqual(['revoked', 'unchanged']);
    expect(decided.counts).toMatchObject({ certificates: 2, devices: 1 });
    const keys = decided.decided.flatMap(({ claims }) => claims.filter(({ kind }) => kind === 'key'));
    expect(new Set(keys.map(({ value }) => value)).size).toBe(2);
  });

  it('do not guess between issuers', () => {
    const other = certificate(3, 'car-2', [], { serialNumber: '01', issuerKeyId: 'b'.repeat(40) });
    expect(outcomes(revoke('superseded', known(one, other), ['serial', '01']))).toEqual(['conflict']);
  });

  it('of a key take no certificate with it: those have lines of their own', () => {
    const decided = revoke('superseded', known(one), ['key', one.ref.keyThumbprint]);
    expect(decided.counts).toEqual({ revoked: 1, keys: 1 });
  });
});

describe('lines of a release', () => {
  it('end holds, and tell what was none', () => {
    const held = certificate(4, 'car-4', ['certificateHold']);
    const good = certificate(5, 'car-5', ['certificateHold', 'superseded']);
    const lines: [LineKind, string][] = [
      ['serial', '04'],
      ['serial', '04'],
      ['serial', '05'],
      ['thumbprint', one.ref.thumbprint],
      ['serial', '09'],
    ];
    const decided = releaseLines(named(...lines), known(held, good, one), NOW);
    expect(outcomes(decided)).toEqual(['released', 'not_held', 'not_held', 'not_held', 'unknown']);
    expect(decided.settled[2]?.detail).toContain('superseded');
    expect(decided.decided.flatMap(({ certificates }) => certificates.flatMap((c) => c.held))).toEqual(['40']);
  });
});
