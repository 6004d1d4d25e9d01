import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { type IfMatch, requireMatch, versionTag } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { DeviceRow } from '../device/device.entity.js';
import { CHANGEABLE } from '../device/device.js';
import { Devices } from '../device/devices.repository.js';
import { type Act, changes } from '../history/history.js';
import { meaningOf, type OperatorEventBody } from './operator-event.js';

/** What happens to a vehicle in its life, as operators report it and as findings demand it. */
@Injectable()
export class Lifecycle {
  constructor(
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly certificates: Certificates,
  ) {}

  /**
   * The same report again changes nothing. Throws `provisioning.device_not_found`, `request.precondition_failed`,
   * `provisioning.state_conflict`, `provisioning.order_required`.
   */
  report(deviceId: DeviceId, body: OperatorEventBody, ifMatch: IfMatch, who: string, now: Date): Promise<DeviceRow> {
    const { kind, certificates, labels } = meaningOf(body.event);
    return this.database.transaction(async (tx) => {
      const device = await this.devices.mustLock(tx, deviceId);
      requireMatch(ifMatch, versionTag(device.version));
      const before = { ...device };
      if (labels === 'clear') Object.assign(device, { labels: [], grants: [] } satisfies Partial<DeviceRow>);
      const changed = changes(before, device, CHANGEABLE);
      const detail = Object.keys(changed).length > 0 ? { detail: changed } : {};
      const act: Act = { who, why: body.reason, ticket: body.ticket, ...detail };
      await this.devices.moveAll(tx, [{ device, event: { kind }, act, always: kind === 'sold' }], now);
      if (certificates === 'end') await this.certificates.endAll(tx, deviceId, now);
      return device;
    });
  }

  /** Because of a finding: into quarantine, denylist mode `recovery`, until an operator ends the suspicion. Locks the device. */
  async quarantine(tx: EntityManager, deviceId: DeviceId, act: Act, now: Date): Promise<void> {
    await this.devices.move(tx, await this.devices.mustLock(tx, deviceId), { kind: 'suspected' }, act, now);
  }
}
