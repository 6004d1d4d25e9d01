/** Geofences: whether a position lies in an area of GeoJSON polygons (RFC 7946), across the antimeridian too. */
import { DomainError } from '@outrider/errors';
import { z } from 'zod';

/** Degrees, WGS 84. */
export interface Position {
  readonly longitude: number;
  readonly latitude: number;
}

const MAX_POSITIONS = 10_000;
const Coordinates = z.tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)]).rest(z.number());
const Ring = z.array(Coordinates).min(4).max(MAX_POSITIONS);
const PolygonCoordinates = z.array(Ring).min(1).max(100);

/** RFC 7946 §3.1.6 and §3.1.7; coordinates are longitude, latitude. */
export const Area = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('Polygon'), coordinates: PolygonCoordinates }),
  z.strictObject({ type: z.literal('MultiPolygon'), coordinates: z.array(PolygonCoordinates).min(1).max(100) }),
]);
export type Area = z.infer<typeof Area>;

type RingPositions = readonly (readonly [number, number, ...number[]])[];

/**
 * Holds an area to what the shape alone does not say: closed rings, a bounded number of positions in all.
 * @throws DomainError `policy.geofence_invalid`
 */
export function checkArea(area: Area): Area {
  const rings = polygonsOf(area).flat();
  const positions = rings.reduce((sum, ring) => sum + ring.length, 0);
  if (positions > MAX_POSITIONS) throw invalid(`more than ${MAX_POSITIONS} positions`);
  for (const ring of rings) {
    const [first, last] = [ring[0], ring.at(-1)];
    if (first?.[0] !== last?.[0] || first?.[1] !== last?.[1]) throw invalid('a ring ends where it begins');
    // A ring around a pole has no inside on a flat map; nobody drives there.
    if (Math.round(turn(ring)) !== 0) throw invalid('a ring around a pole');
  }
  return area;
}

/**
 * Whether the position is inside: in one of the polygons and in none of its holes. A position on an edge is inside. Edges are straight
 * in longitude and latitude, and go the shorter way round, so a ring from 170 to -170 crosses the antimeridian.
 */
export function isInside(area: Area, position: Position): boolean {
  return polygonsOf(area).some(([outer, ...holes]) => {
    if (outer === undefined || locate(outer, position) === 'outside') return false;
    return !holes.some((hole) => locate(hole, position) === 'inside');
  });
}

function polygonsOf(area: Area): readonly (readonly RingPositions[])[] {
  return area.type === 'Polygon' ? [area.coordinates] : area.coordinates;
}

/** Ray casting, with longitudes unrolled around the position: each edge's far end is at most half a turn from its near end. */
function locate(ring: RingPositions, { longitude, latitude }: Position): 'inside' | 'edge' | 'outside' {
  let crossings = 0;
  let x1 = offset(ring[0]?.[0] ?? 0, longitude);
  for (let i = 1; i < ring.length; i += 1) {
    const y1 = (ring[i - 1]?.[1] ?? 0) - latitude;
    const y2 = (ring[i]?.[1] ?? 0) - latitude;
    const x2 = x1 + offset(ring[i]?.[0] ?? 0, ring[i - 1]?.[0] ?? 0);
    for (const shift of [-360, 0, 360]) {
      const side = edgeSide(x1 + shift, y1, x2 + shift, y2);
      if (side === 'edge') return 'edge';
      if (side === 'right') crossings += 1;
    }
    x1 = x2;
  }
  return crossings % 2 === 1 ? 'inside' : 'outside';
}

/** Of an edge, seen from the origin: whether it passes through it, crosses the ray to the right of it, or neither. */
function edgeSide(x1: number, y1: number, x2: number, y2: number): 'edge' | 'right' | 'neither' {
  const cross = x1 * y2 - x2 * y1;
  if (cross === 0 && x1 * x2 <= 0 && y1 * y2 <= 0) return 'edge';
  if (y1 > 0 === y2 > 0) return 'neither';
  return x1 - (y1 * (x2 - x1)) / (y2 - y1) > 0 ? 'right' : 'neither';
}

/** From `to` to `from` the shorter way: -180 up to 180. */
function offset(from: number, to: number): number {
  const difference = from - to;
  return difference > 180 ? difference - 360 : difference < -180 ? difference + 360 : difference;
}

/** How often a ring goes round the globe: 0, or 1 in either direction around a pole. */
function turn(ring: RingPositions): number {
  let sum = 0;
  for (let i = 1; i < ring.length; i += 1) sum += offset(ring[i]?.[0] ?? 0, ring[i - 1]?.[0] ?? 0);
  return sum / 360;
}

function invalid(detail: string): DomainError {
  return new DomainError('policy.geofence_invalid', { detail });
}
