/** Reads a vehicle's conditions out of an accepted telemetry message, and decides which of two words is the last. */
import type { Position } from '@outrider/policy';

/** What is not known is undefined. */
export interface Conditions {
  /** Milliseconds since the epoch, by the vehicle's clock; telemetry has held it against ours. */
  readonly measuredAtMs: number;
  readonly speedKmh: number | undefined;
  readonly position: Position | undefined;
  readonly health: string | undefined;
}

type Telemetry = Partial<Record<'speed' | 'speed_kmh' | 'lat' | 'latitude' | 'lon' | 'longitude' | 'health', unknown>>;

const MAX_SPEED_KMH = 10_000;
const MAX_HEALTH = 64;
const MAX_TS_SECONDS = 253_402_300_799;

/**
 * @param ts seconds since the epoch; @param payload the signed JSON as received: `telemetry` holds `speed` (km/h), `lat` and `lon` (or
 * `latitude` and `longitude`, degrees), `health` (text). Members of another kind count as not said.
 * @returns undefined for what is no payload, or says none of these.
 */
export function readConditions(ts: number, payload: string): Conditions | undefined {
  const telemetry = telemetryOf(payload);
  if (!telemetry || !(ts >= 0 && ts <= MAX_TS_SECONDS)) return undefined;
  const speed = telemetry.speed ?? telemetry.speed_kmh;
  const { health } = telemetry;
  const conditions: Conditions = {
    measuredAtMs: Math.round(ts * 1000),
    speedKmh: isNumber(speed) ? Math.min(Math.abs(speed), MAX_SPEED_KMH) : undefined,
    position: positionOf(telemetry),
    health: typeof health === 'string' && health !== '' ? storable(health) : undefined,
  };
  const { speedKmh, position } = conditions;
  return speedKmh === undefined && !position && conditions.health === undefined ? undefined : conditions;
}

/** Of two, the later by the vehicle's clock; what it does not speak of stays as the other had it. */
export function merge(one: Conditions | undefined, other: Conditions): Conditions {
  if (!one) return other;
  const [older, newer] = other.measuredAtMs >= one.measuredAtMs ? [one, other] : [other, one];
  return {
    measuredAtMs: newer.measuredAtMs,
    speedKmh: newer.speedKmh ?? older.speedKmh,
    position: newer.position ?? older.position,
    health: newer.health ?? older.health,
  };
}

function telemetryOf(payload: string): Telemetry | undefined {
  try {
    const { telemetry } = JSON.parse(payload) as { telemetry?: unknown };
    return typeof telemetry === 'object' && telemetry !== null ? telemetry : undefined;
  } catch {
    return undefined;
  }
}

function positionOf(telemetry: Telemetry): Position | undefined {
  const latitude = telemetry.lat ?? telemetry.latitude;
  const longitude = telemetry.lon ?? telemetry.longitude;
  if (!isNumber(latitude) || !isNumber(longitude)) return undefined;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { longitude, latitude } : undefined;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** PostgreSQL keeps no NUL, nor half of a surrogate pair. */
function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, MAX_HEALTH).toWellFormed();
}
