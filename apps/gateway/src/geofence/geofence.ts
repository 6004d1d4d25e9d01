/** Decides which geofences a vehicle is in, and whether it is outside those that it has to keep to. */
import { type Area, checkArea, isInside, isTimeZone, type Position } from '@outrider/policy';
import { z } from 'zod';

export const GeofenceName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
/** As in the registry. */
const Label = z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,62}$/);

/** `requiredFor`: devices with one of these labels keep to it. `timeZone`: IANA, of the vehicles in it. */
export interface Geofence {
  readonly name: string;
  readonly area: Area;
  readonly requiredFor: readonly string[];
  readonly timeZone: string | null;
}

export const RequiredFor = z.array(Label).max(32);
export const TimeZone = z.string().max(64).refine(isTimeZone, 'an IANA time zone');

/** Degrees; `west` to `east` unrolled, so that one of them may lie beyond 180 or -180. */
interface Box {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

/** A geofence with the boxes around its polygons, made once: most positions are far away. */
export interface CompiledGeofence extends Geofence {
  readonly boxes: readonly Box[];
}

export interface Membership {
  /** Names, in order. */
  readonly inside: readonly string[];
  readonly outsideGeofence: boolean;
  /** Of the first geofence that it has to keep to, else that it is in, and that names one; else UTC. */
  readonly timeZone: string;
}

/** @throws DomainError `policy.geofence_invalid` */
export function compileGeofence(geofence: Geofence): CompiledGeofence {
  checkArea(geofence.area);
  const { area } = geofence;
  const polygons = area.type === 'Polygon' ? [area.coordinates] : area.coordinates;
  return { ...geofence, boxes: polygons.map(([outer]) => boxOf(outer ?? [])) };
}

/**
 * @param fences by name. Who has to keep to several is good in any of them; where nobody knows its position, it counts as outside.
 */
export function membership(
  fences: readonly CompiledGeofence[],
  labels: readonly string[],
  position: Position | undefined,
): Membership {
  const inside = position ? fences.filter((one) => contains(one, position)) : [];
  const required = fences.filter(({ requiredFor }) => requiredFor.some((label) => labels.includes(label)));
  const zoned = [...required, ...inside].find(({ timeZone }) => timeZone !== null);
  return {
    inside: inside.map(({ name }) => name),
    outsideGeofence: required.length > 0 && !required.some((one) => inside.includes(one)),
    timeZone: zoned?.timeZone ?? 'UTC',
  };
}

function contains({ area, boxes }: CompiledGeofence, position: Position): boolean {
  return boxes.some((box) => isInBox(box, position)) && isInside(area, position);
}

function isInBox({ south, north, west, east }: Box, { latitude, longitude }: Position): boolean {
  if (latitude < south || latitude > north) return false;
  return [-360, 0, 360].some((turn) => longitude + turn >= west && longitude + turn <= east);
}

/** Edges go the shorter way round (libs/policy), so the ring is followed and not only looked at by its extremes. */
function boxOf(ring: readonly (readonly [number, number, ...number[]])[]): Box {
  let [longitude, latitude] = ring[0] ?? [0, 0];
  const box = { south: latitude, north: latitude, west: longitude, east: longitude };
  for (const [nextLongitude, nextLatitude] of ring) {
    const difference = nextLongitude - longitude;
    longitude += difference - 360 * Math.round(difference / 360);
    latitude = nextLatitude;
    box.south = Math.min(box.south, latitude);
    box.north = Math.max(box.north, latitude);
    box.west = Math.min(box.west, longitude);
    box.east = Math.max(box.east, longitude);
  }
  return box;
}
