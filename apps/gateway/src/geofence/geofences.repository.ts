import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Geofence } from './geofence.js';
import type { KeptGeofence } from './geofence-document.js';

const SELECT = `SELECT name, area, required_for AS "requiredFor", time_zone AS "timeZone", changed_by AS "changedBy",
  changed_at AS "changedAt" FROM geofences`;

/** Geofences, and every change of them. */
@Injectable()
export class GeofencesRepository {
  constructor(private readonly database: Database) {}

  /** By name. */
  all(): Promise<KeptGeofence[]> {
    return this.database.query(`${SELECT} ORDER BY name`);
  }

  async find(name: string): Promise<KeptGeofence | undefined> {
    return (await this.all()).find((one) => one.name === name);
  }

  /** Until the transaction ends nobody else changes it. */
  async lock(tx: EntityManager, name: string): Promise<KeptGeofence | undefined> {
    const [row]: KeptGeofence[] = await tx.query(`${SELECT} WHERE name = $1 FOR UPDATE`, [name]);
    return row;
  }

  /** Grows with each change. */
  async lastChange(): Promise<string> {
    const [row] = await this.database.query<{ last: string | null }>('SELECT max(id) AS last FROM geofence_changes');
    return row?.last ?? '0';
  }

  async put(tx: EntityManager, { name, area, requiredFor, timeZone }: Geofence, by: string, now: Date): Promise<void> {
    const values = [name, JSON.stringify(area), requiredFor, timeZone, by, now];
    await tx.query(
      `INSERT INTO geofences (name, area, required_for, time_zone, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (name) DO UPDATE SET area = EXCLUDED.area, required_for = EXCLUDED.required_for,
         time_zone = EXCLUDED.time_zone, changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at`,
      values,
    );
    await tx.query(
      `INSERT INTO geofence_changes (name, area, required_for, time_zone, changed_by, changed_at)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      values,
    );
  }

  /** One that `lock` has locked. */
  async remove(tx: EntityManager, name: string, by: string, now: Date): Promise<void> {
    await tx.query('DELETE FROM geofences WHERE name = $1', [name]);
    await tx.query('INSERT INTO geofence_changes (name, changed_by, changed_at) VALUES ($1, $2, $3)', [name, by, now]);
  }
}
