import { describe, expect, it, test } from '@jest/globals';
import {
  addCounts,
  isOver,
  JOB_STATES,
  type JobTarget,
  readyState,
  requireCancellable,
  requireMayAlone,
} from './job.js';
import { JobBody, requireFitting, timeOf } from './job-request.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const after = (ms: number) => new Date(NOW.getTime() + ms);

test.each<[JobTarget, Date | null, string]>([
  [{ file: 'csv' }, null, 'running'],
  [{ names: { serial: '01' } }, after(-1), 'running'],
  [{ names: { serial: '01' } }, after(1), 'waiting'],
  [{ label: 'default' }, null, 'resolving'],
  [{ manufacturer: 'demo-motors' }, after(1), 'waiting'],
  [{ key: 'k' }, null, 'resolving'],
])('%j at %p begins as %s', (target, notBefore, state) => {
  expect(readyState(target, notBefore, NOW)).toBe(state);
});

test.each(JOB_STATES)('a cancel of one that is %s', (state) => {
  if (state === 'cancelled') expect(requireCancellable({ state })).toBe(false);
  else if (isOver(state))
    expect(() => requireCancellable({ state })).toThrow(expect.objectContaining({ code: 'revocation.job_closed' }));
  else expect(requireCancellable({ state })).toBe(true);
});

describe('what one account may do alone', () => {
  test.each([
    [100, 0, true],
    [101, 0, false],
    [60, 40, true],
    [1, 100, false],
    [0, 100, true],
  ])('%i lines after %i', (lines, before, may) => {
    const judge = () => requireMayAlone(lines, before, 100);
    if (may) expect(judge).not.toThrow();
    else expect(judge).toThrow(expect.objectContaining({ code: 'revocation.elevation_required' }));
  });
});

it('adds counts by their names', () => {
  expect(addCounts({ revoked: 2, unknown: 1 }, { revoked: 3, devices: 1 })).toEqual({
    revoked: 5,
    unknown: 1,
    devices: 1,
  });
});

describe('words', () => {
  it('for later are told from those for now, and from slips of the pen', () => {
    expect(timeOf(undefined, NOW)).toBeUndefined();
    expect(timeOf(NOW.toISOString(), NOW)).toBeUndefined();
    expect(timeOf('2026-03-01T13:30:00+01:00', NOW)).toEqual(new Date('2026-03-01T12:30:00Z'));
    expect(() => timeOf('2027-06-01T00:00:00Z', NOW)).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  });

  it('of a release are neither a reason nor force', () => {
    expect(() => requireFitting('revoke', { reason: 'superseded', force: true })).not.toThrow();
    for (const words of [{ reason: 'superseded' }, { force: true }])
      expect(() => requireFitting('release', words)).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  });
});

test.each(['F6:BB'.padEnd(59, ':0A'), ` ${'F6BB'.padEnd(40, '0A')}`])('an issuer is taken as %j', (issuer) => {
  expect(JobBody.parse({ issuer })).toMatchObject({ issuer: 'f6bb'.padEnd(40, '0a') });
});

test.each(['f6', 'f6:bb', 'g'.repeat(40), '0a'.repeat(21)])('%j names no issuer', (issuer) => {
  expect(JobBody.safeParse({ issuer }).success).toBe(false);
});
