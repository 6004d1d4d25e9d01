import { expect, it } from '@jest/globals';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { ApprovalBook } from './approval-book.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const LIMITS = { pendingSeconds: 3600, retryAfterSeconds: 30, perDevice: 2, perManufacturer: 3 };
const device = (name: string) => ({ deviceId: DeviceId.parse(name), manufacturer: 'demo-motors' });
const request = (csrSha256: string) => ({ csrSha256, label: 'approve' });
const filing = (name: string, csrSha256: string) => ({
  ...device(name),
  ...request(csrSha256),
  id: `${name}-${csrSha256}`,
  serialNumber: name,
  keyThumbprint: 'key',
  presented: Thumbprint.parse('A'.repeat(43)),
  remoteAddress: '10.0.0.1',
});

it('counts what the same group filed, of the device and of the manufacturer', () => {
  const book = new ApprovalBook(new Map(), new Map([['demo-motors', 1]]), LIMITS);
  const say = (name: string, csr: string) => book.consult(request(csr), device(name), NOW);
  expect(say('device-1', 'aa')).toMatchObject({ kind: 'wait', file: true });
  book.file(filing('device-1', 'aa'), NOW);
  expect(say('device-1', 'aa')).toMatchObject({ kind: 'wait', file: false });
  book.file(filing('device-1', 'bb'), NOW);
  expect(say('device-1', 'cc')).toMatchObject({ kind: 'refuse', code: 'est.approvals_full' });
  expect(say('device-2', 'aa')).toMatchObject({ kind: 'refuse', code: 'est.approvals_full' });
  expect(say('device-1', 'bb')).toMatchObject({ kind: 'wait', file: false });
});

it('lets one approval lead to one certificate', () => {
  const book = new ApprovalBook(new Map(), new Map(), LIMITS);
  book.file(filing('device-1', 'aa'), NOW);
  const [filed] = book.filed;
  if (!filed) throw new Error('nothing was filed');
  const approved = { ...filed, decision: 'approved' as const };
  const stored = new ApprovalBook(new Map([[filed.deviceId, [approved]]]), new Map(), LIMITS);
  const say = () => stored.consult(request('aa'), device('device-1'), NOW);
  expect(say()).toEqual({ kind: 'approved', id: filed.id });
  stored.use(filed.id);
  expect(say()).toMatchObject({ kind: 'wait', file: true });
});
