import { Injectable } from '@nestjs/common';
import type { DeviceSnapshot } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';

type KnownDevice = Pick<DeviceSnapshot, 'state' | 'grants' | 'attestation'>;

/** The projection of provisioning's devices. */
@Injectable()
export class DeviceRepository {
  constructor(private readonly database: Database) {}

  async find(deviceId: DeviceId): Promise<KnownDevice | undefined> {
    const [row] = await this.database.query<KnownDevice>(
      'SELECT state, grants, attestation FROM devices WHERE device_id = $1',
      [deviceId],
    );
    return row;
  }

  /** Keeps the newer of what is stored and what is given, by version: events and answers may overtake each other. */
  async save(device: DeviceSnapshot): Promise<void> {
    await this.database.query(
      `INSERT INTO devices AS d (device_id, state, grants, attestation, version, changed_at)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (device_id) DO UPDATE
       SET state = EXCLUDED.state, grants = EXCLUDED.grants, attestation = EXCLUDED.attestation,
           version = EXCLUDED.version, changed_at = EXCLUDED.changed_at
       WHERE d.version < EXCLUDED.version`,
      [device.deviceId, device.state, device.grants, device.attestation, device.version, device.changedAt],
    );
  }
}
