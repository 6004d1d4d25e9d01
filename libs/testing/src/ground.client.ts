import type { Service } from '@outrider/ids';
import { createTestDatabase, type TestDatabase } from './database.client.js';
import { createTestFleet, type TestFleet } from './fleet.js';
import { startNats, type TestNats } from './nats.client.js';
import { testServiceConfig } from './service.client.js';

/** What a service under test stands on. */
export interface TestGround {
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
  /** The common part of the service's configuration; `directory` takes more files. */
  readonly config: Awaited<ReturnType<typeof testServiceConfig>>['config'];
  readonly directory: string;
  /** After the service has stopped. */
  stop(): Promise<void>;
}

/** A fleet, a database of its own and a NATS of its own for one service, and its configuration. */
export async function startGround(service: Service): Promise<TestGround> {
  const [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase(service), startNats()]);
  const { config, directory } = await testServiceConfig(service, { fleet, database, nats });
  const stop = async () => {
    await nats.stop();
    await database.drop();
  };
  return { fleet, database, nats, config, directory, stop };
}

/** Waits for what other processes bring about. Throws when it did not come true in time. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
