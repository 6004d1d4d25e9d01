/** How geofences look in answers. */
import { Instant } from '@outrider/contracts';
import { z } from 'zod';

const Place = z.tuple([z.number(), z.number()]).rest(z.number());
const Ring = z.array(Place);

export const Geofence = z
  .strictObject({
    name: z.string(),
    area: z.union([
      z.strictObject({ type: z.literal('Polygon'), coordinates: z.array(Ring) }),
      z.strictObject({ type: z.literal('MultiPolygon'), coordinates: z.array(z.array(Ring)) }),
    ]),
    required_for: z.array(z.string()),
    time_zone: z.string().optional(),
    changed_by: z.string(),
    changed_at: Instant,
  })
  .meta({ id: 'Geofence' });

export const GeofenceList = z.strictObject({ items: z.array(Geofence), next: z.null() }).meta({ id: 'GeofenceList' });
