import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../telemetry.fixture.js';
import { LogGround, now } from './log-ground.fixture.js';
import { headOnly, type SegmentBody, TestLog } from './offline-log.fixture.js';

let ground: LogGround;

beforeAll(async () => {
  ground = await LogGround.start();
}, 120_000);

afterAll(() => ground?.stop());

describe('a certificate out of ground.service since', () => {
  /** The log of a vehicle that has another certificate by now. */
  async function renewed(name: string, standing: object) {
    const { vehicle } = await ground.car(name);
    const old = await ground.vehicle(name);
    const { certificate, privateKey } = old.party;
    const known = { certificate: Buffer.from(certificate.der).toString('base64'), deviceId: name, status: 'live' };
    const log = new TestLog(name, privateKey, 'log-1', certificate.thumbprint);
    const asked = await ground.order(vehicle, [[11, 22]]);
    log.fill(11, 12, now(), 4);
    const becomes = () => ground.ground.authority.certificates.set(certificate.thumbprint, { ...known, ...standing });
    ground.ground.authority.certificates.set(certificate.thumbprint, known);
    const delivery = () => {
      const { delivery: said } = log.delivery(asked);
      return { delivery: said, signature: new TestLog(name, vehicle.party.privateKey).sign(said) };
    };
    return { vehicle, old, log, asked, becomes, finish: () => ground.upload(vehicle, asked, log.segments, delivery()) };
  }
  const soon = () => new Date(Date.now() + 60_000).toISOString();

  it('still speaks for the time when it was superseded', async () => {
    const { vehicle, becomes, finish } = await renewed('log-superseded', {
      status: 'superseded',
      supersededAt: soon(),
    });
    becomes();
    expect((await finish()).body).toMatchObject({ counts: { accepted: 12, unanchored: 0 } });
    expect(await ground.segmentsOf(vehicle)).toMatchObject([
      { signer: 'superseded', standing: 'trusted' },
      { signer: 'superseded', standing: 'trusted' },
      { signer: 'superseded', standing: 'trusted' },
    ]);
  });

  it('that was revoked before is refused', async () => {
    const past = new Date(Date.now() - 60_000).toISOString();
    const { becomes, finish } = await renewed('log-revoked-before', { status: 'revoked', revokedAt: past });
    becomes();
    expect((await finish()).body).toMatchObject({ code: 'telemetry.log_bad_signature', segment: 1 });
  });

  it('that was revoked after counts as far as a later head had been received before', async () => {
    const { vehicle, old, log, becomes, finish } = await renewed('log-anchored', {
      status: 'revoked',
      revokedAt: soon(),
    });
    const head = headOnly(log.segments[1]!);
    const sent = await old.ask(ground.service, 'POST', '/v1/telemetry/log-heads', head, 'telemetry:write');
    expect(sent).toMatchObject({ status: 200, body: { segment: 2, known: false } });
    becomes();
    const { body } = await finish();
    expect(body).toMatchObject({ counts: { accepted: 12, unanchored: 4 } });
    expect(body.segments).toMatchObject([
      { segment: 1, signer: 'revoked', standing: 'trusted' },
      { segment: 2, signer: 'revoked', standing: 'trusted' },
      { segment: 3, signer: 'revoked', standing: 'unanchored' },
    ]);
    const unanchored = (await ground.logged(vehicle)).filter(({ standing }) => standing === 'unanchored');
    expect(unanchored.map(({ seq }) => seq)).toEqual([19, 20, 21, 22]);
  });
});

describe('a head that a vehicle announces', () => {
  it('is kept once; another of the same number, and one that does not follow, are findings', async () => {
    const { vehicle, log } = await ground.car('log-heads');
    log.fill(11, 6, now(), 3);
    const announce = (head: SegmentBody) =>
      vehicle.ask(ground.service, 'POST', '/v1/telemetry/log-heads', headOnly(head), 'telemetry:write');
    const [one, two] = log.segments as [SegmentBody, SegmentBody];
    expect((await announce(one)).body).toMatchObject({ segment: 1, known: false });
    expect((await announce(one)).body).toMatchObject({ segment: 1, known: true });
    const rewritten = new TestLog(vehicle.deviceId, vehicle.party.privateKey).fill(11, 6, now() - 5, 3).segments;
    expect(await announce(rewritten[0]!)).toMatchObject({ status: 422, body: { code: 'telemetry.log_conflict' } });
    expect(await announce(rewritten[1]!)).toMatchObject({ status: 422, body: { code: 'telemetry.log_chain_broken' } });
    expect((await announce({ ...two, head: { ...two.head, ts: 1 } })).body.code).toBe('telemetry.log_bad_signature');
    await until(async () => (await ground.findingsOf(vehicle)).length > 0);
    expect(await ground.findingsOf(vehicle)).toMatchObject([{ kind: 'log_refused' }]);
    expect((await announce(two)).body).toMatchObject({ known: false });
    const asked = await ground.order(vehicle, [[11, 16]]);
    const lie = new TestLog(vehicle.deviceId, vehicle.party.privateKey).fill(11, 6, now() - 9, 3);
    const { body } = await ground.upload(vehicle, asked, lie.segments, lie.delivery(asked));
    expect(body).toMatchObject({ code: 'telemetry.log_conflict', segment: 1 });
    expect(await ground.logged(vehicle)).toEqual([]);
  });

  it('is what a delivery that begins after it has to follow from', async () => {
    const { vehicle, log } = await ground.car('log-after');
    log.fill(11, 6, now(), 3);
    const head = headOnly(log.segments[0]!);
    expect((await vehicle.ask(ground.service, 'POST', '/v1/telemetry/log-heads', head, 'telemetry:write')).status).toBe(
      200,
    );
    const asked = await ground.order(vehicle, [[14, 16]]);
    const deliver = (from: TestLog) => {
      const rest = from.segments.slice(1);
      return ground.upload(vehicle, asked, rest, from.delivery(asked, {}, rest));
    };
    const rewritten = new TestLog(vehicle.deviceId, vehicle.party.privateKey).fill(11, 6, now() - 5, 3);
    expect((await deliver(rewritten)).body).toMatchObject({ code: 'telemetry.log_chain_broken', segment: 2 });
    expect((await deliver(log)).status).toBe(200);
  });
});
