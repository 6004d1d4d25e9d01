import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { CertificateStatus } from '../certificate/certificate.js';
import type { CertificateName } from './certificate-id.js';
import type { RotationPlace } from './renewal-window.js';

interface Row {
  readonly holder: DeviceId | null;
  readonly status: CertificateStatus | null;
  readonly deviceId: DeviceId | null;
  readonly label: string;
  readonly issuedAt: Date;
  readonly notAfter: Date;
  readonly rotationId: string | null;
}

/** What an answer is made of, in one round trip: it is asked for more often than anything else here. */
export interface Asked {
  /** Whose certificate the connection was opened with, and whether it was used before; undefined for none of ours. */
  readonly holder: { readonly deviceId: DeviceId; readonly pending: boolean } | undefined;
  /** The one that was asked for; undefined for none of ours. */
  readonly certificate:
    | { readonly deviceId: DeviceId; readonly label: string; readonly issuedAt: Date; readonly notAfter: Date }
    | undefined;
  /** Those not cancelled that were ordered after it was handed out. */
  readonly rotations: readonly (RotationPlace & { readonly rotationId: string })[];
}

@Injectable()
export class RenewalInfos {
  constructor(private readonly database: Database) {}

  async find({ issuerKeyId, serialNumber }: CertificateName, presented: Thumbprint): Promise<Asked> {
    const rows = await this.database.query<Row & RotationPlace>(ASKED, [issuerKeyId, serialNumber, presented]);
    const [row] = rows as [Row & RotationPlace, ...(Row & RotationPlace)[]];
    const { holder, status, deviceId, label, issuedAt, notAfter } = row;
    return {
      holder: holder === null ? undefined : { deviceId: holder, pending: status === 'pending' },
      certificate: deviceId === null ? undefined : { deviceId, label, issuedAt, notAfter },
      rotations: rows.filter((one): one is Row & RotationPlace & { rotationId: string } => one.rotationId !== null),
    };
  }
}

/** A row for each rotation; one without any where there is none. */
const ASKED = `
  SELECT p.device_id AS holder, p.status, c.device_id AS "deviceId", c.label, c.created_at AS "issuedAt",
    c.not_after AS "notAfter", r.rotation_id AS "rotationId", r.started_at AS "startedAt",
    r.within_seconds AS "withinSeconds", r.waves, m.wave
  FROM (VALUES (1)) AS one (question)
  LEFT JOIN certificates p ON p.thumbprint = $3
  LEFT JOIN certificates c ON c.issuer_key_id = $1 AND c.serial_number = $2
  LEFT JOIN rotation_devices m
    JOIN rotations r ON r.rotation_id = m.rotation_id AND r.cancelled_at IS NULL
    ON m.device_id = c.device_id AND r.started_at >= c.created_at`;
