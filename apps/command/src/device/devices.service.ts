import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type DeviceSnapshot, deviceChanged, deviceGet } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { KnownDevice } from './reachable.js';

/** The projection of provisioning's devices; one that no event has brought yet is asked for. */
@Injectable()
export class Devices implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceChanged, (device) => this.database.transaction((tx) => save(tx, device)));
  }

  /** Throws `provisioning.device_not_found` for a device that is not in the registry, `service.upstream_unavailable` when nobody knows. */
  async get(tx: EntityManager, deviceId: DeviceId): Promise<KnownDevice> {
    const [known] = await tx.query<KnownDevice[]>('SELECT state, grants FROM devices WHERE device_id = $1', [deviceId]);
    if (known) return known;
    const { device } = await this.nats.request(deviceGet, { deviceId });
    await save(tx, device);
    return device;
  }
}

/** Keeps the newer by version: events and answers may overtake each other. */
async function save(tx: EntityManager, { deviceId, state, grants, version }: DeviceSnapshot): Promise<void> {
  await tx.query(
    `INSERT INTO devices AS d (device_id, state, grants, version) VALUES ($1, $2, $3, $4)
     ON CONFLICT (device_id) DO UPDATE SET state = EXCLUDED.state, grants = EXCLUDED.grants, version = EXCLUDED.version
     WHERE d.version < EXCLUDED.version`,
    [deviceId, state, grants, version],
  );
}
