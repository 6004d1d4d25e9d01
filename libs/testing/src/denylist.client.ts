import { Denylist } from '@outrider/admission';
import { DENYLIST_BUCKET, DENYLIST_HEARTBEAT_KEY, type DenylistEntry, denylistKey } from '@outrider/contracts';
import type { TestNats } from './nats.client.js';

/** Often enough for the shortest patience of a service. */
const BEAT_MS = 200;

/** Stands in for revocation as far as the denylist goes, on the real NATS under its user: entries, and heartbeats that prove them. */
export interface TestDenylist {
  /** For whatever else a test says as revocation. */
  readonly connection: Awaited<ReturnType<TestNats['connectAs']>>;
  /** Proven by the heartbeat that follows it at once. `mode` is `deny` unless said otherwise. */
  deny(entry: Pick<DenylistEntry, 'kind' | 'value'> & Partial<DenylistEntry>): Promise<void>;
  beat(): void;
  startBeating(): void;
  stopBeating(): void;
  stop(): Promise<void>;
}

/** An empty list that beats. */
export async function startDenylist(nats: TestNats): Promise<TestDenylist> {
  const connection = await nats.connectAs('revocation');
  const list = new Denylist();
  let beating: NodeJS.Timeout | undefined;
  const put = (key: string, value: object) =>
    connection.publish(`$KV.${DENYLIST_BUCKET.name}.${key}`, JSON.stringify(value));
  const denylist: TestDenylist = {
    connection,
    deny: (entry) => {
      const record: DenylistEntry = { mode: 'deny', reason: 'test', sequence: list.sequence + 1, ...entry };
      list.apply(record);
      put(denylistKey(record.kind, record.value), record);
      denylist.beat();
      return connection.flush();
    },
    beat: () => {
      const { sequence, count, digest } = list;
      put(DENYLIST_HEARTBEAT_KEY, { generation: 1, sequence, count, digest });
    },
    startBeating: () => {
      clearInterval(beating);
      denylist.beat();
      beating = setInterval(() => denylist.beat(), BEAT_MS);
    },
    stopBeating: () => clearInterval(beating),
    stop: async () => {
      clearInterval(beating);
      await connection.close();
    },
  };
  denylist.startBeating();
  return denylist;
}
