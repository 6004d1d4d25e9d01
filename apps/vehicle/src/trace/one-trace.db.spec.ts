import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type CollectedSpan, issueVehicle, until } from '@outrider/testing';
import { VehicleClient } from '../http/vehicle.client.js';
import { RequestTracer } from './tracer.client.js';
import { DEVICE, SECRET, startTwoServices } from './two-services.fixture.js';

const UNTIL_MS = 20_000;
const [TRACE, SPAN] = ['c'.repeat(32), 'd'.repeat(16)];
let ground: Awaited<ReturnType<typeof startTwoServices>>;
let client: VehicleClient;
let tracer: RequestTracer;
let operator: VehicleClient;

beforeAll(async () => {
  // By the ratio nothing is recorded: what is, the vehicle asked for.
  ground = await startTwoServices(0);
  const { fleet, collector } = ground;
  const { certificatePem: certificates, privateKeyPem: privateKey } = await issueVehicle(fleet, DEVICE);
  const trust = fleet.root.certificatePem + fleet.infrastructureCa.certificatePem;
  tracer = await RequestTracer.open({ endpoint: collector.endpoint, ratio: 1 });
  client = new VehicleClient(trust, { certificates, privateKey }, 'anchors', tracer);
  operator = new VehicleClient(trust, undefined);
}, 60_000);

afterAll(async () => {
  await client?.close();
  await operator?.close();
  await tracer?.close();
  await ground?.stop();
}, 60_000);

const ask = (headers: Record<string, string> = {}) =>
  client.send(`${ground.vehicleUrl}/v1/probe/${DEVICE}`, { method: 'POST', headers });
const of = (traceId: string) => ground.collector.spans.filter((span) => span.traceId === traceId);
const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

/** `service kind name`, each below what began it. */
function tree(spans: readonly CollectedSpan[], parent?: string): object {
  const below = spans.filter(({ parentSpanId }) => parentSpanId === parent);
  return Object.fromEntries(
    below.map((span) => [`${span.service} ${kinds[span.kind]} ${span.name}`, tree(spans, span.spanId)]),
  );
}

it('is one trace from the vehicle to the database of another service, and back by an event', async () => {
  expect((await ask()).status).toBe(201);
  const consumed = 'consume provisioning.device.changed.v1';
  await until(() => ground.collector.spans.some(({ name }) => name === consumed), UNTIL_MS);
  await until(() => ground.collector.spans.some(({ service }) => service === 'vehicle'), UNTIL_MS);
  const { traceId } = ground.collector.spans.find(({ service }) => service === 'vehicle') as CollectedSpan;
  await until(() => of(traceId).length === 12, UNTIL_MS).catch(() => undefined);
  expect(tree(of(traceId))).toEqual({
    'vehicle client POST /v1/:id/:id': {
      'command server POST /v1/probe/:id': {
        'command client request provisioning.device.get.v1': {
          'provisioning server answer provisioning.device.get.v1': {
            'provisioning internal transaction': {
              'provisioning client BEGIN': {},
              'provisioning client SELECT': {},
              'provisioning client INSERT outbox': {},
              'provisioning client COMMIT': {},
              'provisioning producer publish provisioning.device.changed.v1': {
                [`command consumer ${consumed}`]: { 'command client SELECT': {} },
              },
            },
          },
        },
      },
    },
  });
  const insert = of(traceId).find(({ name }) => name === 'INSERT outbox');
  expect(insert?.attributes).toEqual({
    'db.system.name': 'postgresql',
    'db.namespace': 'provisioning',
    'db.operation.name': 'INSERT',
    'db.collection.name': 'outbox',
  });
}, 60_000);

it('holds no name of a vehicle, no value and no secret', () => {
  expect(ground.collector.spans.length).toBeGreaterThan(0);
  expect(ground.collector.text).not.toContain(DEVICE);
  expect(ground.collector.text).not.toContain(SECRET);
});

it('records nothing that a believed caller did not ask for, and nothing that a stranger did', async () => {
  const [refused, forced, control] = ['1', '2', '3'].map((digit) => digit.repeat(32)) as [string, string, string];
  await ask({ traceparent: `00-${refused}-${SPAN}-00` });
  const answer = await operator.send(`${ground.operatorUrl}/v1/operators-probe`, {
    method: 'POST',
    headers: { traceparent: `00-${forced}-${SPAN}-01` },
  });
  expect(answer.status).toBe(201);
  await ask({ traceparent: `00-${control}-${SPAN}-01` });
  await until(() => of(control).some(({ service }) => service === 'provisioning'), UNTIL_MS);
  expect([of(refused), of(forced)]).toEqual([[], []]);
});

it('begins anew where the traceparent is malformed', async () => {
  const before = ground.collector.spans.length;
  await ask({ traceparent: `00-${TRACE}-${'0'.repeat(16)}-01` });
  await ask({ traceparent: `00-${'4'.repeat(32)}-${SPAN}-01` });
  await until(() => of('4'.repeat(32)).some(({ service }) => service === 'command'), UNTIL_MS);
  expect(ground.collector.spans.length).toBeGreaterThan(before);
  expect(of(TRACE)).toEqual([]);
});

it('goes on without a collector, drops what does not fit, and counts it', async () => {
  ground.collector.answerWith(503);
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask()));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  const fate = async (name: string) =>
    Number(new RegExp(`outrider_trace_spans_total{fate="${name}"} (\\d+)`).exec(await ground.metrics())?.[1]);
  expect(await fate('dropped')).toBeGreaterThan(0);
  await until(async () => (await fate('failed')) > 0, UNTIL_MS);
  ground.collector.answerWith(200);
  const before = ground.collector.spans.length;
  await ask();
  await until(() => ground.collector.spans.length > before, UNTIL_MS);
}, 60_000);
