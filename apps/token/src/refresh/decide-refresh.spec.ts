import { expect, test } from '@jest/globals';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { decideRefresh, type RefreshHolder, type StoredRefreshToken } from './decide-refresh.js';

const NOW = 1_763_900_000_000;
const holder: RefreshHolder = {
  deviceId: DeviceId.parse('device-a'),
  thumbprint: Thumbprint.parse('A'.repeat(43)),
  jkt: undefined,
};
const good: StoredRefreshToken = { ...holder, familyEndsAtMs: NOW + 1, familyEnded: false, used: false };
const B = DeviceId.parse('device-b');
const renewed = Thumbprint.parse(`${'B'.repeat(42)}A`);

test.each<[string, StoredRefreshToken | undefined, Partial<RefreshHolder>, string]>([
  ['its holder', good, {}, 'rotate'],
  ['its holder, with the DPoP key', { ...good, jkt: 'k' }, { jkt: 'k' }, 'rotate'],
  ['nobody knows it', undefined, {}, 'refuse'],
  ['a second use', { ...good, used: true }, {}, 'end'],
  ['a second use, with the certificate renewed', { ...good, used: true }, { thumbprint: renewed }, 'end'],
  ['a second use, when the family is over', { ...good, used: true, familyEndsAtMs: NOW }, {}, 'end'],
  ['after its family ended', { ...good, familyEnded: true }, {}, 'end'],
  ['after a day', { ...good, familyEndsAtMs: NOW }, {}, 'refuse'],
  ['another device has it', good, { deviceId: B, thumbprint: renewed }, 'end'],
  ['the certificate was renewed', good, { thumbprint: renewed }, 'refuse'],
  ['without the DPoP key', { ...good, jkt: 'k' }, {}, 'refuse'],
  ['with a key that it is not bound to', good, { jkt: 'k' }, 'refuse'],
])('%s', (_name, token, by, decision) => {
  expect(decideRefresh(token, { ...holder, ...by }, NOW)).toBe(decision);
});
