/** Counts what the suite published, through JetStream's own API. */
import { readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { endpoints } from './endpoints.js';

/** Messages of the stream EVENTS below a subject: `telemetry.message.accepted.v1.device-1`. */
export async function publishedCounts(filter: string): Promise<Map<string, number>> {
  const { url, user, passwordFile } = endpoints.nats;
  const connection = await connect({
    servers: url.split(','),
    user,
    pass: readFileSync(passwordFile, 'utf8').trim(),
    inboxPrefix: `_INBOX.${user}`,
  });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info('EVENTS', { subjects_filter: filter });
    return new Map(Object.entries(state.subjects ?? {}));
  } finally {
    await connection.close();
  }
}
