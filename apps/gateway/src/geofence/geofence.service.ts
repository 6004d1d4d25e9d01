import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { documentTag, type IfMatch, requireMatch } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { compileGeofence } from './geofence.js';
import { type GeofenceBody, geofenceDocument, type KeptGeofence } from './geofence-document.js';
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

  /** @throws DomainError `policy.geofence_invalid`, `request.precondition_failed` */
  async put(name: string, body: GeofenceBody, ifMatch: IfMatch, by: string, now: Date): Promise<KeptGeofence> {
    const { area, required_for: requiredFor, time_zone: timeZone = null } = body;
    const geofence = { name, area, requiredFor, timeZone };
    compileGeofence(geofence);
    await this.database.transaction(async (tx) => {
      const before = await this.repository.lock(tx, name);
      requireMatch(ifMatch, before && tagOf(before));
      await this.repository.put(tx, geofence, by, now);
    });
    await this.geofences.refresh();
    return { ...geofence, changedBy: by, changedAt: now };
  }

  /** @throws DomainError `policy.geofence_not_found`, `request.precondition_failed` */
  async remove(name: string, ifMatch: IfMatch, by: string, now: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      const before = await this.repository.lock(tx, name);
      if (!before) throw new DomainError('policy.geofence_not_found');
      requireMatch(ifMatch, tagOf(before));
      await this.repository.remove(tx, name, by, now);
    });
    await this.geofences.refresh();
  }
}

function tagOf(kept: KeptGeofence): string {
  return documentTag(geofenceDocument(kept));
}
