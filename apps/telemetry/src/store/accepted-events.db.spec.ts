import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EVENTS_STREAM, messageAccepted } from '@outrider/contracts';
import { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';
import type pg from 'pg';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import { type Ground, prepareGround, type Service, startService, until } from '../telemetry.fixture.js';
import { acceptedEvent, packEvents } from './accepted-event.js';
import { AcceptedEvents } from './accepted-events.service.js';
import { EventGroupsRepository } from './event-groups.repository.js';

let ground: Ground;
let service: Service;
let client: pg.Client;
let reader: Awaited<ReturnType<Ground['nats']['connectAs']>>;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  client = await ground.database.admin();
  reader = await ground.nats.connectAs('provisioner');
}, 60_000);

afterAll(async () => {
  await client?.end();
  await reader?.close();
  await service?.close();
  await ground?.stop();
});

function events(deviceId: string, ...seqs: number[]) {
  return seqs.map((seq) =>
    acceptedEvent(
      {
        ...{ deviceId: DeviceId.parse(deviceId), stream: StreamName.parse('main'), epoch: Epoch.parse(0) },
        ...{ seq: SequenceNumber.parse(seq), ts: 1, thumbprint: Thumbprint.parse('A'.repeat(43)) },
        ...{ canonicalSha256: 'ab'.repeat(32), text: () => `{"seq":${seq}}` },
      } as VerifiedRecord,
      new Date().toISOString(),
    ),
  );
}

async function keptOf(deviceId: string): Promise<number> {
  const subject = `${messageAccepted.subject}.${deviceId}`;
  const answer = await reader.request(
    `$JS.API.STREAM.INFO.${EVENTS_STREAM.name}`,
    JSON.stringify({ subjects_filter: subject }),
  );
  return answer.json<{ state: { subjects?: Record<string, number> } }>().state.subjects?.[subject] ?? 0;
}

const waiting = async () => (await client.query('SELECT FROM event_groups')).rowCount;

it('sends from its row what a commit left behind and nobody sent, and forgets it then', async () => {
  const group = events('device-crashed', 1, 2, 3);
  await client.query(`INSERT INTO event_groups (id, events, created_at) VALUES ($1, $2, now() - interval '1 hour')`, [
    randomUUID(),
    packEvents(group),
  ]);
  await until(async () => (await waiting()) === 0, 20_000);
  expect(await keptOf('device-crashed')).toBe(3);
});

it('sends under the same names again: what the stream has already it does not keep twice', async () => {
  const group = { id: randomUUID(), events: events('device-again', 1, 2) };
  const { text, values } = service.app.get(EventGroupsRepository).insertion(group);
  await client.query(text, values);
  service.app.get(AcceptedEvents).sendCommitted(group);
  await until(async () => (await waiting()) === 0, 20_000);
  expect(await keptOf('device-again')).toBe(2);
  // As if the instance had ended between the acknowledgement and the deletion.
  await client.query(
    text.replace('(id, events)', '(id, events, created_at)').replace('$2)', "$2, now() - interval '1 hour')"),
    values,
  );
  await until(async () => (await waiting()) === 0, 20_000);
  expect(await keptOf('device-again')).toBe(2);
});

it('keeps what JetStream refuses', async () => {
  const group = { id: randomUUID(), events: [{ subject: 'telemetry.nobody.keeps.v1', payload: Buffer.from('{}') }] };
  const { text, values } = service.app.get(EventGroupsRepository).insertion(group);
  await client.query(text, values);
  service.app.get(AcceptedEvents).sendCommitted(group);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await waiting()).toBe(1);
  await client.query('DELETE FROM event_groups');
});
