import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { crlDraftRead, crlSign } from '@outrider/contracts';
import { SerialNumber } from '@outrider/ids';
import { type TestNats, until } from '@outrider/testing';
import { encodeCrlEntries, parseCertificate, parseCrl, revocationOf, verifyCrl } from '@outrider/x509';
import {
  CRL_BASE,
  crlRequest,
  deny,
  fleet,
  nats,
  rows,
  sign,
  signCrl,
  signedReply,
  startFleetCa,
  stopFleetCa,
  vehicleRequest,
} from '../fleet-ca.fixture.js';

let revocation: Awaited<ReturnType<TestNats['connectAs']>>;
/** What revocation answers for a part of a draft. */
let answerPart: (part: number) => object | undefined;
const asked: number[] = [];

beforeAll(async () => {
  await startFleetCa();
  await deny();
  revocation = await nats.connectAs('revocation');
  revocation.subscribe(crlDraftRead.subject, {
    callback: (_error, msg) => {
      const { part } = crlDraftRead.payload.parse(msg.json());
      asked.push(part);
      const answer = answerPart(part);
      if (answer) msg.respond(JSON.stringify(answer));
    },
  });
  await revocation.flush();
}, 60_000);
afterAll(async () => {
  await revocation?.close();
  await stopFleetCa();
});

const entriesOf = (serials: readonly string[]) =>
  encodeCrlEntries(
    serials.map((serial) => ({
      serialNumber: SerialNumber.parse(serial),
      revokedAt: new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000),
      reason: 'keyCompromise',
    })),
  ).der;
const claim = (count: number, bytes: Uint8Array) => ({
  entries: { count, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
});
const assembled = (reply: unknown, entries: Uint8Array) => {
  const { head, tail } = crlSign.reply.parse(reply);
  return Buffer.concat([Buffer.from(head, 'base64'), entries, Buffer.from(tail, 'base64')]);
};
const part = (bytes: Uint8Array) => ({ ok: { entries: Buffer.from(bytes).toString('base64') } });
const refused = { code: 'ca.request_refused' };

describe('ca.crl.sign.v2', () => {
  it('signs a list under the vehicle CA, and its number only goes forward', async () => {
    const issued = signedReply(await sign('provisioning', vehicleRequest('device-revoked')));
    const entries = entriesOf([issued.ref.serialNumber]);
    const request = crlRequest(10, claim(1, entries));
    const crl = parseCrl(assembled(await signCrl('revocation', request, entries), entries));
    const leaf = parseCertificate(issued.certificate);
    const entry = revocationOf(leaf, crl, fleet.vehicleCa.certificate, new Date());
    expect(entry).toMatchObject({ serialNumber: issued.ref.serialNumber, reason: 'keyCompromise' });
    expect(await signCrl('revocation', request, entries)).toHaveProperty('head');
    expect(await signCrl('revocation', crlRequest(10))).toEqual(refused);
    expect(await signCrl('revocation', crlRequest(9))).toEqual(refused);
    expect(await signCrl('revocation', crlRequest(11))).toHaveProperty('head');
  });

  it('signs none for another service', async () => {
    expect(await signCrl('provisioning', crlRequest(100))).toEqual({ code: 'ca.requester_refused' });
  });

  it('reads a long list part by part, and signs what it has read', async () => {
    const parts = [['0a', '0b'], ['0c'], ['0d', '0e']].map(entriesOf);
    const all = Buffer.concat(parts);
    answerPart = (n) => part(parts[n] as Uint8Array);
    asked.length = 0;
    const crl = parseCrl(assembled(await signCrl('revocation', crlRequest(20, claim(5, all))), all));
    verifyCrl(crl, fleet.vehicleCa.certificate, new Date());
    expect([...crl.revoked.keys()]).toEqual(['0a', '0b', '0c', '0d', '0e']);
    expect(asked).toEqual([0, 1, 2]);
  });

  it.each<[string, () => (n: number) => object | undefined]>([
    ['other entries', () => () => part(entriesOf(['0b']))],
    ['entries without end', () => () => part(entriesOf(['0a', '0b']))],
    ['parts of nothing', () => () => part(new Uint8Array())],
    ['what is no entries', () => () => part(Buffer.from('hello'))],
    ['an error', () => () => ({ error: { code: 'ca.request_refused' } })],
  ])('signs nothing, and uses up no number, where revocation answers with %s', async (_, make) => {
    answerPart = make();
    expect(await signCrl('revocation', crlRequest(30, claim(1, entriesOf(['0a']))))).toEqual(refused);
    expect(await rows('SELECT 1 FROM fleet_ca.signed_crls WHERE number = 30')).toEqual([]);
  });

  it('is not held up by a revocation that says nothing: others are signed for meanwhile, and it is given up', async () => {
    answerPart = () => undefined;
    asked.length = 0;
    const silent = signCrl('revocation', crlRequest(40, claim(1, entriesOf(['0a']))));
    await until(() => asked.length > 0);
    expect(await signCrl('revocation', crlRequest(41))).toHaveProperty('head');
    expect(await sign('provisioning', vehicleRequest('device-meanwhile'))).toHaveProperty('certificate');
    expect(await silent).toEqual({ code: 'service.upstream_unavailable' });
  });

  it('reads few long lists at once, and says so to the others', async () => {
    answerPart = () => undefined;
    const replies = await Promise.all(
      Array.from({ length: 6 }, (_, n) => signCrl('revocation', crlRequest(50 + n, claim(1, entriesOf(['0a']))))),
    );
    const codes = replies.map((reply) => (reply as { code: string }).code).sort();
    expect(codes).toEqual([
      ...Array.from({ length: 2 }, () => 'service.overloaded'),
      ...Array.from({ length: 4 }, () => 'service.upstream_unavailable'),
    ]);
  });

  it('signs a delta of a full list alone, by one row of numbers', async () => {
    const full = await signCrl('revocation', crlRequest(60, { hasDeltas: true }));
    expect(parseCrl(assembled(full, new Uint8Array())).freshestCrls).toEqual([`${CRL_BASE}/0-delta.crl`]);
    const delta = await signCrl('revocation', crlRequest(61, { baseNumber: 60 }));
    expect(parseCrl(assembled(delta, new Uint8Array()))).toMatchObject({ crlNumber: 61n, baseCrlNumber: 60n });
    for (const [number, baseNumber] of [
      [62, 61],
      [62, 59],
      [61, 60],
    ] as const) {
      const draft = randomUUID();
      expect(await signCrl('revocation', crlRequest(number, { baseNumber, draft }))).toEqual(refused);
    }
  });
});
