import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Rotation, RotationQuery, RotationsQuery, Straggler } from './rotation.js';

/** What is decided of a rotation when it is ordered. */
export type NewRotation = Omit<Rotation, 'selected' | 'renewed' | 'gone' | 'cancelledAt' | 'cancelledBy'>;

@Injectable()
export class Rotations {
  constructor(private readonly database: Database) {}

  /** Selects the vehicles, once and for all, and gives each its wave. Returns how many. Nothing is kept of one that selects nobody. */
  async add(tx: EntityManager, rotation: NewRotation): Promise<number> {
    const { rotationId, label, estLabel, waves, startedAt } = rotation;
    const [{ selected }] = (await tx.query(SELECT_DEVICES, [rotationId, waves, label, estLabel, startedAt])) as [
      { selected: number },
    ];
    if (selected === 0) return 0;
    await tx.query(
      `INSERT INTO rotations
         (rotation_id, label, est_label, within_seconds, waves, reason, created_by, started_at, selected)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        rotationId,
        label,
        estLabel,
        rotation.withinSeconds,
        waves,
        rotation.reason,
        rotation.createdBy,
        startedAt,
        selected,
      ],
    );
    return selected;
  }

  /** Whether it was made before. Until the transaction ends nobody else makes it. */
  async isThere(tx: EntityManager, rotationId: string): Promise<boolean> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [rotationId]);
    const rows: unknown[] = await tx.query('SELECT FROM rotations WHERE rotation_id = $1', [rotationId]);
    return rows.length > 0;
  }

  async find(rotationId: string): Promise<Rotation | undefined> {
    await this.settle();
    const [row] = await this.database.query<Rotation>(`${SHOWN} WHERE r.rotation_id = $1`, [rotationId]);
    return row;
  }

  /** The newest first. */
  async page({ limit, after }: RotationsQuery): Promise<Rotation[]> {
    await this.settle();
    return this.database.query<Rotation>(
      `${SHOWN} WHERE $1::timestamptz IS NULL OR r.started_at < $1 ORDER BY r.started_at DESC LIMIT $2`,
      [after ?? null, limit + 1],
    );
  }

  async stragglers(rotationId: string, { limit, after }: RotationQuery, now: Date): Promise<Straggler[]> {
    return this.database.query<Straggler>(STRAGGLERS, [rotationId, after ?? '', now, limit + 1]);
  }

  /** One that was cancelled before stays as it is. */
  async cancel(rotationId: string, by: string, now: Date): Promise<void> {
    await this.database.query(
      'UPDATE rotations SET cancelled_at = $2, cancelled_by = $3 WHERE rotation_id = $1 AND cancelled_at IS NULL',
      [rotationId, now, by],
    );
  }

  /** The vehicle asked, and was told of these rotations. */
  async asked(deviceId: DeviceId, rotationIds: readonly string[], now: Date): Promise<void> {
    await this.database.query(
      `UPDATE rotation_devices SET last_asked_at = $3
       WHERE device_id = $1 AND rotation_id = ANY($2) AND renewed_at IS NULL`,
      [deviceId, [...rotationIds], now],
    );
  }

  /** Notes who has renewed since, so that what is finished need not be counted out again. */
  private async settle(): Promise<void> {
    await this.database.query(SETTLE);
  }
}

/** In service, and with a certificate that can be renewed. Waves are equal to within one vehicle; who is in which, a hash decides. */
const SELECT_DEVICES = `
  WITH chosen AS (
    INSERT INTO rotation_devices (rotation_id, device_id, wave)
    SELECT $1::uuid, d.device_id, ntile($2::integer) OVER (ORDER BY md5($1::text || d.device_id)) - 1
    FROM devices d
    WHERE d.state = 'active'
      AND ($3::text IS NULL OR $3 = ANY (d.labels))
      AND EXISTS (
        SELECT FROM certificates c
        WHERE c.device_id = d.device_id AND c.status IN ('live', 'pending') AND c.not_after > $5
          AND ($4::text IS NULL OR c.label = $4))
    RETURNING 1)
  SELECT count(*)::integer AS selected FROM chosen`;

const SETTLE = `
  UPDATE rotation_devices o SET renewed_at = n.renewed_at
  FROM (
    SELECT m.device_id, m.rotation_id, min(c.first_seen_at) AS renewed_at
    FROM rotations r
    JOIN rotation_devices m ON m.rotation_id = r.rotation_id AND m.renewed_at IS NULL
    JOIN certificates c
      ON c.device_id = m.device_id AND c.created_at > r.started_at AND c.first_seen_at IS NOT NULL
    WHERE r.cancelled_at IS NULL
    GROUP BY m.device_id, m.rotation_id) n
  WHERE o.device_id = n.device_id AND o.rotation_id = n.rotation_id AND o.renewed_at IS NULL`;

const SHOWN = `
  SELECT r.rotation_id AS "rotationId", r.label, r.est_label AS "estLabel", r.within_seconds AS "withinSeconds", r.waves,
    r.reason, r.created_by AS "createdBy", r.started_at AS "startedAt", r.cancelled_at AS "cancelledAt",
    r.cancelled_by AS "cancelledBy", r.selected, r.selected - o.open AS renewed, o.gone
  FROM rotations r
  CROSS JOIN LATERAL (
    SELECT count(*)::integer AS open, (count(*) FILTER (WHERE d.state <> 'active'))::integer AS gone
    FROM rotation_devices m JOIN devices d ON d.device_id = m.device_id
    WHERE m.rotation_id = r.rotation_id AND m.renewed_at IS NULL) o`;

const STRAGGLERS = `
  SELECT m.device_id AS "deviceId", m.wave, c.not_after AS "notAfter",
    greatest(m.last_asked_at, c.first_seen_at) AS "lastSeenAt"
  FROM rotation_devices m
  JOIN rotations r ON r.rotation_id = m.rotation_id
  JOIN devices d ON d.device_id = m.device_id AND d.state = 'active'
  LEFT JOIN LATERAL (
    SELECT max(not_after) AS not_after, max(first_seen_at) AS first_seen_at
    FROM certificates WHERE device_id = m.device_id) c ON true
  WHERE m.rotation_id = $1 AND m.device_id > $2 AND m.renewed_at IS NULL
    AND r.started_at + make_interval(secs => r.within_seconds::double precision * (m.wave + 1) / r.waves) <= $3
  ORDER BY m.device_id LIMIT $4`;
