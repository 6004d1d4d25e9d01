import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type DeviceSnapshot, deviceChanged, deviceGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { KnownDevice } from './reachable.js';

/** How many devices of before labels were kept are asked for in a round. */
const ASK_AT_ONCE = 50;
const ASK_EVERY_MS = 2000;

/** Vehicles by what the registry says of them. `labels`: a vehicle has all of them. */
export interface DeviceQuery {
  readonly labels: readonly string[];
  readonly states: readonly DeviceSnapshot['state'][];
}

/** The projection of provisioning's devices; one that no event has brought yet is asked for. */
@Injectable()
export class Devices implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceChanged, (device) => this.save(device));
    this.schedule.every(ASK_EVERY_MS, 'the labels of some devices are not known yet', () => this.askForLabels());
  }

  /** Also how many commands are open for it, counted up to `most`. Throws `provisioning.device_not_found`, `service.upstream_unavailable` when nobody knows. */
  async find(deviceId: DeviceId, most: number): Promise<KnownDevice & { readonly open: number }> {
    const [known] = await this.database.query<KnownDevice & { open: number }>(
      `SELECT state, grants, (SELECT count(*)::int FROM (SELECT FROM commands c WHERE c.device_id = d.device_id
         AND c.state IN ('queued', 'offered', 'challenged', 'released') LIMIT $2) AS open_ones) AS open
       FROM devices d WHERE device_id = $1`,
      [deviceId, most],
    );
    if (known) return known;
    const { device } = await this.nats.request(deviceGet, { deviceId });
    await this.save(device);
    return { ...device, open: 0 };
  }

  /**
   * In the order of their ids, at most `limit`.
   * @throws DomainError `service.unavailable` while some devices' labels are not known: a query must not leave out whom it means
   */
  async matching({ labels, states }: DeviceQuery, limit: number): Promise<DeviceId[]> {
    const [unknown] = await this.database.query('SELECT 1 FROM devices WHERE labels IS NULL LIMIT 1');
    if (unknown)
      throw new DomainError('service.unavailable', {
        detail: 'the labels of some vehicles are not known yet',
        retryAfterSeconds: 5,
      });
    const rows = await this.database.query<{ id: DeviceId }>(
      `SELECT device_id AS id FROM devices WHERE labels @> $1::text[] AND state = ANY($2) ORDER BY device_id LIMIT $3`,
      [labels, states, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Those of before labels were kept. */
  private async askForLabels(): Promise<void> {
    const rows = await this.database.query<{ id: DeviceId }>(
      'SELECT device_id AS id FROM devices WHERE labels IS NULL LIMIT $1',
      [ASK_AT_ONCE],
    );
    for (const { id } of rows) await this.save((await this.nats.request(deviceGet, { deviceId: id })).device);
  }

  /** Keeps the newer by version: events and answers may overtake each other. */
  private async save({ deviceId, state, grants, labels, version }: DeviceSnapshot): Promise<void> {
    await this.database.query(
      `INSERT INTO devices AS d (device_id, state, grants, labels, version) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (device_id) DO UPDATE SET state = EXCLUDED.state, grants = EXCLUDED.grants,
         labels = EXCLUDED.labels, version = EXCLUDED.version
       WHERE d.version < EXCLUDED.version OR (d.version = EXCLUDED.version AND d.labels IS NULL)`,
      [deviceId, state, grants, labels ?? [], version],
    );
  }
}
