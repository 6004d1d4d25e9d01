import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { CertificateStatus } from '../certificate/certificate.js';
import type { CertificateName } from './certificate-id.js';
import type { RotationPlace } from './renewal-window.js';

/** What an answer is made of, in one round trip. */
export interface Asked {
  readonly certificate: {
    readonly deviceId: DeviceId;
    readonly label: string;
    readonly issuedAt: Date;
    readonly notAfter: Date;
  };
  /** Those not cancelled that were ordered after it was handed out. */
  readonly rotations: readonly (RotationPlace & { readonly rotationId: string })[];
}

@Injectable()
export class RenewalInfos {
  constructor(private readonly database: Database) {}

  /** Whose certificate this is, and whether it was used before; undefined for none of ours. */
  async holder(
    thumbprint: Thumbprint,
  ): Promise<{ readonly deviceId: DeviceId; readonly status: CertificateStatus } | undefined> {
    const [row] = await this.database.query<{ deviceId: DeviceId; status: CertificateStatus }>(
      'SELECT device_id AS "deviceId", status FROM certificates WHERE thumbprint = $1',
      [thumbprint],
    );
    return row;
  }

  async find({ issuerKeyId, serialNumber }: CertificateName): Promise<Asked | undefined> {
    const rows = await this.database.query<Row>(ASKED, [issuerKeyId, serialNumber]);
    const [certificate] = rows;
    if (!certificate) return undefined;
    return { certificate, rotations: rows.filter(({ rotationId }) => rotationId !== null) };
  }
}

type Row = Asked['certificate'] & Asked['rotations'][number];

/** A row for each rotation; one without any where there is none. */
const ASKED = `
  SELECT c.device_id AS "deviceId", c.label, c.created_at AS "issuedAt", c.not_after AS "notAfter",
    r.rotation_id AS "rotationId", r.started_at AS "startedAt", r.within_seconds AS "withinSeconds", r.waves, m.wave
  FROM certificates c
  LEFT JOIN rotation_devices m
    JOIN rotations r ON r.rotation_id = m.rotation_id AND r.cancelled_at IS NULL
    ON m.device_id = c.device_id AND r.started_at >= c.created_at
  WHERE c.issuer_key_id = $1 AND c.serial_number = $2`;
