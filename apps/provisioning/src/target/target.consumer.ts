import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { targetsList } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';

/** Tells revocation, page by page, what a wide target names. */
@Injectable()
export class TargetConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(targetsList, async ({ target, after, limit }) => {
      if ('label' in target) {
        const thumbprints = await this.certificates(target.label, after, limit);
        return { thumbprints, ...nextOf(thumbprints, limit) };
      }
      const deviceIds = await this.devices(target.manufacturer, target.batch ?? '', after, limit);
      return { deviceIds, ...nextOf(deviceIds, limit) };
    });
  }

  private async certificates(label: string, after: string, limit: number): Promise<Thumbprint[]> {
    const rows = await this.database.query<{ thumbprint: Thumbprint }>(
      `SELECT thumbprint FROM certificates WHERE label = $1 AND not_after > now() AND thumbprint COLLATE "C" > $2
       ORDER BY thumbprint COLLATE "C" LIMIT $3`,
      [label, after, limit],
    );
    return rows.map(({ thumbprint }) => thumbprint);
  }

  private async devices(manufacturer: string, batch: string, after: string, limit: number): Promise<DeviceId[]> {
    const rows = await this.database.query<{ device_id: DeviceId }>(
      `SELECT device_id FROM devices WHERE manufacturer = $1 AND starts_with(serial_number, $2)
         AND device_id COLLATE "C" > $3 ORDER BY device_id COLLATE "C" LIMIT $4`,
      [manufacturer, batch, after, limit],
    );
    return rows.map(({ device_id }) => device_id);
  }
}

/** A page that is full may have another behind it. */
function nextOf(page: readonly string[], limit: number): { next?: string } {
  const last = page.at(-1);
  return page.length === limit && last !== undefined ? { next: last } : {};
}
