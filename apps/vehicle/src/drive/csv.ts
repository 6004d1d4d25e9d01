/** Reads a recorded drive from CSV: one row a second, the columns found by their names in the head line. */
import { type DriveSample, MAX_DRIVE_SAMPLES } from './drive.js';

/** Our name for a column; several data sets name the same thing differently. Others are left out. */
const COLUMNS: Readonly<Record<string, string>> = {
  lat: 'lat',
  latitude: 'lat',
  lon: 'lon',
  lng: 'lon',
  longitude: 'lon',
  alt: 'alt',
  speed: 'speed',
  gpsspeed: 'gps_speed',
  soc: 'soc',
  temperature: 'temperature',
  humidity: 'humidity',
  mode: 'mode',
  speedlimit: 'speed_limit',
};
const TEXT = new Set(['mode']);

/**
 * Parses the columns of the RSK Twizy data set (`Date,Time,Soc,Speed,Mode,LAT,LON,...`, speeds in km/h) and any subset with `LAT` and `LON`.
 * Times are `Date` (m/d/yyyy) and `Time` (h:mm:ss); without them a row is a second. A row that goes back in time keeps the time before it.
 * Throws RangeError with the line number for a row that does not parse.
 */
export function parseCsvDrive(text: string): readonly DriveSample[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const head = (lines[0] ?? '').split(',').map((name) => name.trim().toLowerCase());
  if (!head.some((name) => COLUMNS[name] === 'lat') || !head.some((name) => COLUMNS[name] === 'lon')) {
    throw new RangeError('line 1: no LAT and LON columns');
  }
  const samples: DriveSample[] = [];
  let startSeconds: number | undefined;
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] as string;
    if (line.trim() === '') continue;
    if (samples.length >= MAX_DRIVE_SAMPLES) throw new RangeError(`more than ${MAX_DRIVE_SAMPLES} rows`);
    const cells = line.split(',');
    if (cells.length !== head.length)
      throw new RangeError(`line ${index + 1}: ${cells.length} cells, not ${head.length}`);
    const clock = rowSeconds(head, cells) ?? index - 1;
    startSeconds ??= clock;
    const before = samples.at(-1)?.atSeconds ?? 0;
    samples.push({
      atSeconds: Math.max(before, clock - startSeconds),
      measurement: measurement(head, cells, index + 1),
    });
  }
  if (samples.length === 0) throw new RangeError('no rows');
  return samples;
}

function measurement(head: readonly string[], cells: readonly string[], line: number): Record<string, number | string> {
  const members: Record<string, number | string> = {};
  head.forEach((column, index) => {
    const name = COLUMNS[column];
    const cell = (cells[index] ?? '').trim();
    if (name === undefined || cell === '') return;
    members[name] = TEXT.has(name) ? cell.slice(0, 32) : finite(cell, column, line);
  });
  if (!('lat' in members) || !('lon' in members)) throw new RangeError(`line ${line}: no position`);
  const { lat, lon } = members as { lat: number; lon: number };
  if (Math.abs(lat) > 90 || Math.abs(lon) > 180)
    throw new RangeError(`line ${line}: no place on earth: ${lat}, ${lon}`);
  return members;
}

function finite(cell: string, column: string, line: number): number {
  const value = Number(cell);
  if (!Number.isFinite(value)) throw new RangeError(`line ${line}: ${column} is no number`);
  return value;
}

/** Seconds since the epoch as if the clock showed UTC; only differences are used. */
function rowSeconds(head: readonly string[], cells: readonly string[]): number | undefined {
  const date = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec((cells[head.indexOf('date')] ?? '').trim());
  const time = /^(\d{1,2}):(\d{2}):(\d{2})$/.exec((cells[head.indexOf('time')] ?? '').trim());
  if (!date || !time) return undefined;
  const [, month, day, year] = date.map(Number) as [number, number, number, number];
  const [, hour, minute, second] = time.map(Number) as [number, number, number, number];
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
}
