/** Geofences as operators send and see them. */
import { Area } from '@outrider/policy';
import { z } from 'zod';
import { type Geofence, RequiredFor, TimeZone } from './geofence.js';

export const GeofenceBody = z.strictObject({
  area: Area,
  required_for: RequiredFor.default([]),
  time_zone: TimeZone.optional(),
});
export type GeofenceBody = z.output<typeof GeofenceBody>;

export interface KeptGeofence extends Geofence {
  readonly changedBy: string;
  readonly changedAt: Date;
}

export function geofenceDocument({ name, area, requiredFor, timeZone, changedBy, changedAt }: KeptGeofence) {
  return {
    name,
    area,
    required_for: requiredFor,
    ...(timeZone === null ? {} : { time_zone: timeZone }),
    changed_by: changedBy,
    changed_at: changedAt.toISOString(),
  };
}
