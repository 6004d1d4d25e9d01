import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Decision, decisionMade, durableName, EVENTS_STREAM } from '@outrider/contracts';
import type { Service } from '@outrider/ids';

/** What `service` has reported since the last reading, as the gateway hears it. */
export async function readDecisions(gateway: NatsConnection, service: Service): Promise<Decision[]> {
  const contract = decisionMade(service);
  const durable = durableName('gateway', contract);
  const consumer = await jetstream(gateway).consumers.get(EVENTS_STREAM.name, durable);
  const read: Decision[] = [];
  for await (const msg of await consumer.fetch({ max_messages: 100, expires: 1000 })) {
    read.push(contract.payload.parse(msg.json()));
    msg.ack();
  }
  return read;
}
