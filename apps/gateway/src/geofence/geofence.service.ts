import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { compileGeofence } from './geofence.js';
import type { GeofenceBody, KeptGeofence } from './geofence-document.js';
import { GeofencesRepository } from './geofences.repository.js';
import { Geofences } from './geofences.store.js';

/** What operators do with geofences; in force here at once, on other replicas within two seconds. */
@Injectable()
export class GeofenceService {
  constructor(
    private readonly database: Database,
    private readonly repository: GeofencesRepository,
    private readonly geofences: Geofences,
  ) {}

  /** @throws DomainError `policy.geofence_not_found` */
  async show(name: string): Promise<KeptGeofence> {
    const found = await this.repository.find(name);
    if (!found) throw new DomainError('policy.geofence_not_found');
    return found;
  }

  /** @throws DomainError `policy.geofence_invalid` */
  async put(name: string, body: GeofenceBody, by: string, now: Date): Promise<KeptGeofence> {
    const { area, required_for: requiredFor, time_zone: timeZone = null } = body;
    const geofence = { name, area, requiredFor, timeZone };
    compileGeofence(geofence);
    await this.database.transaction((tx) => this.repository.put(tx, geofence, by, now));
    await this.geofences.refresh();
    return { ...geofence, changedBy: by, changedAt: now };
  }

  /** @throws DomainError `policy.geofence_not_found` */
  async remove(name: string, by: string, now: Date): Promise<void> {
    const isThere = await this.database.transaction((tx) => this.repository.remove(tx, name, by, now));
    if (!isThere) throw new DomainError('policy.geofence_not_found');
    await this.geofences.refresh();
  }
}
