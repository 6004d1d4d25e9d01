/** Reads what a geofence file says: a GeoJSON polygon, or a feature with one whose properties name the rest. */
import { Area } from '@outrider/policy';
import { z } from 'zod';

const Properties = z.looseObject({
  name: z.string().optional(),
  required_for: z.array(z.string()).optional(),
  time_zone: z.string().optional(),
});
/** RFC 7946 §3.2; members that we do not know are left to those who do. */
const Feature = z.looseObject({ type: z.literal('Feature'), geometry: Area, properties: Properties.nullish() });

export interface GeofenceOptions {
  readonly name?: string | undefined;
  readonly requiredFor?: readonly string[] | undefined;
  readonly timeZone?: string | undefined;
}

export interface GeofenceWish {
  readonly name: string;
  readonly body: { readonly area: Area; readonly required_for: readonly string[]; readonly time_zone?: string };
}

/** `options` go before the file's own words. @throws RangeError saying what is missing or wrong */
export function readGeofence(text: string, { name, requiredFor, timeZone }: GeofenceOptions): GeofenceWish {
  const parsed = z.union([Feature, Area]).safeParse(parseJson(text));
  if (!parsed.success) throw new RangeError('neither a GeoJSON Polygon or MultiPolygon nor a Feature with one');
  const document = parsed.data;
  const [area, properties] =
    document.type === 'Feature' ? [document.geometry, document.properties ?? {}] : [document, {}];
  const named = name ?? properties.name;
  if (named === undefined) throw new RangeError('no name: give --name, or properties.name in the file');
  const zone = timeZone ?? properties.time_zone;
  return {
    name: named,
    body: {
      area,
      required_for: requiredFor ?? properties.required_for ?? [],
      ...(zone === undefined ? {} : { time_zone: zone }),
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
