import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KV } from '@nats-io/kv';
import { DENYLIST_MANIFEST_KEY, DENYLIST_SNAPSHOT_BUCKET, DenylistManifest } from '@outrider/contracts';
import type { Nats } from '../nats/nats.client.js';

/** Chunks asked for before the first has come. */
const AHEAD = 4;

/**
 * Reads the snapshot of `generation`, handing out its chunks one a turn of the event loop, so that a list of a million stalls nobody.
 * @returns the revision from which the bucket DENYLIST is to be watched; undefined where no snapshot of that generation lies there.
 * Throws where one does and cannot be read whole: some chunks may have been handed out.
 */
export async function readSnapshot(
  nats: Nats,
  generation: number,
  take: (chunk: Uint8Array) => void,
): Promise<number | undefined> {
  // Where NATS was provisioned by an older version there is no such bucket.
  const bucket = await nats.bucket(DENYLIST_SNAPSHOT_BUCKET.name).catch(() => undefined);
  const record = await bucket?.get(DENYLIST_MANIFEST_KEY);
  if (!bucket || record?.operation !== 'PUT') return undefined;
  const manifest = DenylistManifest.parse(record.json());
  if (manifest.generation !== generation) return undefined;
  const { chunks } = manifest;
  const asked = chunks.slice(0, AHEAD).map(({ key }) => ask(bucket, key));
  for (const [at, { key, sha256 }] of chunks.entries()) {
    const next = chunks[at + AHEAD];
    const chunk = await asked.shift();
    if (next) asked.push(ask(bucket, next.key));
    if (!chunk || hash('sha256', chunk) !== sha256) {
      await Promise.all(asked);
      throw new Error(`chunk ${key} of the denylist's snapshot is not the one that was written`);
    }
    take(chunk);
    await nextTurn();
  }
  return manifest.revision;
}

/** Undefined for one that is not there or does not come: never rejects, as nobody may be waiting for it any more. */
async function ask(bucket: KV, key: string): Promise<Uint8Array | undefined> {
  const record = await bucket.get(key).catch(() => undefined);
  return record?.operation === 'PUT' ? record.value : undefined;
}
