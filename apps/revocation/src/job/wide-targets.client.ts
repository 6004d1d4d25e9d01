import { Injectable } from '@nestjs/common';
import { targetsList } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import type { WideTarget } from '../revoke/revoke-request.js';
import type { LineKind } from './job.js';

const PAGE = 2000;
const TIMEOUT_MS = 5000;

export interface TargetPage {
  readonly kind: LineKind;
  readonly values: readonly string[];
  /** Where the next one begins; undefined behind the last. */
  readonly next: string | undefined;
}

/** Lists whom a wide target names, page by page: certificates by what is known here, labels and manufacturers by asking provisioning. */
@Injectable()
export class WideTargets {
  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
  ) {}

  /** @throws DomainError `service.upstream_unavailable` and the like */
  async page(target: WideTarget | { readonly key: string }, after: string): Promise<TargetPage> {
    if ('issuer' in target) return this.own('issuer_key_id', target.issuer, after);
    if ('key' in target) return this.own('key_thumbprint', target.key, after);
    const asked = { target, after, limit: PAGE };
    const { thumbprints, deviceIds, next } = await this.nats.request(targetsList, asked, { timeoutMs: TIMEOUT_MS });
    if (deviceIds) return { kind: 'device', values: deviceIds, next };
    return { kind: 'thumbprint', values: thumbprints ?? [], next };
  }

  private async own(column: 'issuer_key_id' | 'key_thumbprint', value: string, after: string): Promise<TargetPage> {
    const order = column === 'issuer_key_id' ? 'serial_number' : 'thumbprint';
    const rows = await this.database.query<{ thumbprint: string; at: string }>(
      `SELECT thumbprint, ${order} AS at FROM certificates WHERE ${column} = $1 AND ${order} > $2 AND not_after > now()
       ORDER BY ${order} LIMIT $3`,
      [value, after, PAGE],
    );
    const last = rows.at(-1);
    const next = rows.length === PAGE && last ? last.at : undefined;
    return { kind: 'thumbprint', values: rows.map(({ thumbprint }) => thumbprint), next };
  }
}
