/** Reads a recorded drive from GPX 1.0/1.1: the track points, in file order. No XML entities, no DTD, nothing fetched. */
import { type DriveSample, MAX_DRIVE_SAMPLES } from './drive.js';

const EARTH_RADIUS_M = 6_371_000;

/**
 * Parses `<trkpt lat lon>` with `<ele>` (metres), `<time>` and, where present, `<speed>` (m/s, as GPX 1.0 and Garmin write it).
 * Without a speed it is worked out from the way between two points. Speeds become km/h. Points without a time are a second apart.
 * A document type declaration is refused: a GPX file has no use for one. Throws RangeError naming the point that does not parse.
 */
export function parseGpxDrive(text: string): readonly DriveSample[] {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new RangeError('a document type declaration is not taken');
  const samples: DriveSample[] = [];
  let startSeconds: number | undefined;
  let previous: { lat: number; lon: number; atSeconds: number } | undefined;
  for (const point of trackPoints(text)) {
    if (samples.length >= MAX_DRIVE_SAMPLES) throw new RangeError(`more than ${MAX_DRIVE_SAMPLES} points`);
    const number = samples.length + 1;
    const lat = coordinate(point.attributes, 'lat', 90, number);
    const lon = coordinate(point.attributes, 'lon', 180, number);
    const clock = pointSeconds(point.body, number) ?? samples.length;
    startSeconds ??= clock;
    const atSeconds = Math.max(previous?.atSeconds ?? 0, clock - startSeconds);
    const alt = element(point.body, 'ele');
    const told = element(point.body, 'speed');
    const speed = told === undefined ? workedOut(previous, { lat, lon, atSeconds }) : told * 3.6;
    samples.push({
      atSeconds,
      measurement: { lat, lon, speed: round(speed, 2), ...(alt === undefined ? {} : { alt }) },
    });
    previous = { lat, lon, atSeconds };
  }
  if (samples.length === 0) throw new RangeError('no track points');
  return samples;
}

/** Walks the text by index, never by a pattern that could run long on a hostile file. */
function* trackPoints(text: string): Generator<{ attributes: string; body: string }> {
  let at = text.indexOf('<trkpt');
  while (at !== -1) {
    const headEnd = text.indexOf('>', at);
    if (headEnd === -1) throw new RangeError('a track point is cut off');
    const attributes = text.slice(at + 6, headEnd);
    let next = headEnd + 1;
    let body = '';
    if (!attributes.endsWith('/')) {
      const end = text.indexOf('</trkpt>', headEnd);
      if (end === -1) throw new RangeError('a track point is cut off');
      body = text.slice(headEnd + 1, end);
      next = end + 8;
    }
    if (attributes.length > 512 || body.length > 16_384) throw new RangeError('a track point is larger than any is');
    yield { attributes, body };
    at = text.indexOf('<trkpt', next);
  }
}

function coordinate(attributes: string, name: 'lat' | 'lon', limit: number, number: number): number {
  const value = Number(
    new RegExp(`(?:^|\\s)${name}\\s*=\\s*["']([^"']{1,40})["']`).exec(attributes)?.[1] ?? Number.NaN,
  );
  if (!Number.isFinite(value) || Math.abs(value) > limit) throw new RangeError(`point ${number}: no ${name}`);
  return value;
}

function element(body: string, name: string): number | undefined {
  const found = new RegExp(`<(?:\\w{1,32}:)?${name}>\\s*([^<]{1,40})<`).exec(body)?.[1];
  const value = found === undefined ? Number.NaN : Number(found);
  return Number.isFinite(value) ? value : undefined;
}

function pointSeconds(body: string, number: number): number | undefined {
  const found = /<time>\s*([^<]{1,40}?)\s*</.exec(body)?.[1];
  if (found === undefined) return undefined;
  const milliseconds = Date.parse(found);
  if (Number.isNaN(milliseconds)) throw new RangeError(`point ${number}: ${found} is no time`);
  return milliseconds / 1000;
}

/** km/h between two points on the great circle; 0 without a way or without time between them. */
function workedOut(
  from: { lat: number; lon: number; atSeconds: number } | undefined,
  to: { lat: number; lon: number; atSeconds: number },
): number {
  if (!from || to.atSeconds <= from.atSeconds) return 0;
  const radians = Math.PI / 180;
  const a =
    Math.sin(((to.lat - from.lat) * radians) / 2) ** 2 +
    Math.cos(from.lat * radians) * Math.cos(to.lat * radians) * Math.sin(((to.lon - from.lon) * radians) / 2) ** 2;
  const metres = 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(a)));
  return (metres / (to.atSeconds - from.atSeconds)) * 3.6;
}

function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
