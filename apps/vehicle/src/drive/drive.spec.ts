import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCsvDrive } from './csv.js';
import { type DriveSample, recordedDrive } from './drive.js';
import { parseGpxDrive } from './gpx.js';
import { simulatedDrive } from './simulated.js';

const HEAD = 'Date,Time,Soc,Speed,Mode,LAT,LON,ALT';

describe('a CSV drive', () => {
  it('takes position, speed and charge by column name, and time from Date and Time', () => {
    const samples = parseCsvDrive(
      `${HEAD}\r\n7/1/2021,10:34:36,95.52,0.0,N,33.98,-6.72,142\r\n7/1/2021,10:34:39,95.5,12.5,D,33.99,-6.73,142\r\n`,
    );
    expect(samples).toEqual([
      { atSeconds: 0, measurement: { soc: 95.52, speed: 0, mode: 'N', lat: 33.98, lon: -6.72, alt: 142 } },
      { atSeconds: 3, measurement: { soc: 95.5, speed: 12.5, mode: 'D', lat: 33.99, lon: -6.73, alt: 142 } },
    ]);
  });

  it('takes a row as a second when there is no clock in it', () => {
    expect(parseCsvDrive('lat,lon\n1,2\n1,3\n').map((sample) => sample.atSeconds)).toEqual([0, 1]);
  });

  it('never goes back in time', () => {
    const samples = parseCsvDrive(`${HEAD}\n7/1/2021,10:00:05,1,1,N,1,1,1\n7/1/2021,09:00:00,1,1,N,1,1,1`);
    expect(samples.map((sample) => sample.atSeconds)).toEqual([0, 0]);
  });

  test.each([
    ['an empty file', '', /LAT and LON/],
    ['a head without a position', 'Date,Time,Soc\n1,2,3', /LAT and LON/],
    ['a head alone', HEAD, /no rows/],
    ['a short row', `${HEAD}\n7/1/2021,10:34:36,95.52`, /line 2: 3 cells, not 8/],
    ['a word for a number', 'lat,lon\n1,2\n1,west', /line 3: lon is no number/],
    ['an infinity', 'lat,lon\n1,Infinity', /line 2: lon is no number/],
    ['an empty position', 'lat,lon\n1,', /line 2: no position/],
    ['a place beyond the pole', 'lat,lon\n91,0', /line 2: no place on earth/],
  ])('refuses %s', (_name, text, message) => {
    expect(() => parseCsvDrive(text)).toThrow(message);
  });
});

describe('a GPX drive', () => {
  const point = (lat: number, lon: number, inner: string): string =>
    `<trkpt lat="${lat}" lon='${lon}'>${inner}</trkpt>`;

  it('takes points, elevation, time and speed', () => {
    const text = `<?xml version="1.0"?><gpx><trk><trkseg>${point(1, 2, '<ele>3</ele><time>2021-04-22T08:00:00Z</time><speed>10</speed>')}${point(1, 2, '<time>2021-04-22T08:00:05Z</time><extensions><gpxtpx:speed>2</gpxtpx:speed></extensions>')}</trkseg></trk></gpx>`;
    expect(parseGpxDrive(text)).toEqual([
      { atSeconds: 0, measurement: { lat: 1, lon: 2, alt: 3, speed: 36 } },
      { atSeconds: 5, measurement: { lat: 1, lon: 2, speed: 7.2 } },
    ]);
  });

  it('works the speed out where none is told', () => {
    const [, second] = parseGpxDrive(
      `${point(0, 0, '<time>2021-04-22T08:00:00Z</time>')}${point(0, 0.001, '<time>2021-04-22T08:00:10Z</time>')}`,
    );
    expect(second?.measurement.speed).toBeCloseTo(40.03, 1);
  });

  it('takes points without a body a second apart', () => {
    expect(parseGpxDrive('<trkpt lat="1" lon="2"/><trkpt lat="1" lon="2"/>').map((s) => s.atSeconds)).toEqual([0, 1]);
  });

  test.each([
    ['no points', '<gpx/>', /no track points/],
    ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]><trkpt lat="1" lon="2"/>', /document type/],
    ['a missing longitude', '<trkpt lat="1"/>', /point 1: no lon/],
    ['a cut-off point', '<trkpt lat="1" lon="1"><ele>3', /cut off/],
    ['a time that is none', '<trkpt lat="1" lon="1"><time>noon</time></trkpt>', /noon is no time/],
    ['a monstrous point', `<trkpt lat="1" lon="1">${'x'.repeat(20_000)}</trkpt>`, /larger/],
  ])('refuses %s', (_name, text, message) => {
    expect(() => parseGpxDrive(text)).toThrow(message);
  });
});

describe('the parsers', () => {
  it('return samples or throw RangeError for any text, nothing else', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        fc.constantFrom('', 'lat,lon\n', '<trkpt lat="1" lon="2">'),
        (text, head) => {
          for (const parse of [parseCsvDrive, parseGpxDrive]) {
            try {
              expect(parse(head + text).length).toBeGreaterThan(0);
            } catch (error) {
              expect(error).toBeInstanceOf(RangeError);
            }
          }
        },
      ),
    );
  });
});

describe('a recorded drive', () => {
  const samples: DriveSample[] = [0, 1, 5].map((atSeconds) => ({ atSeconds, measurement: { lat: atSeconds } }));
  const drive = recordedDrive('csv', 'three', samples);

  test.each([
    [0, 0],
    [0.9, 0],
    [1, 1],
    [4.9, 1],
    [5, 5],
    [5.9, 5],
    [6, 0],
    [12, 0],
    [13, 1],
  ])('at %p seconds stands at the sample of second %p', (at, expected) => {
    expect(drive.at(at)).toEqual({ lat: expected });
  });
});

describe('a simulated drive', () => {
  it('says that it is simulated, and is the same for the same vehicle and time', () => {
    const drive = simulatedDrive('device-1');
    expect(drive.at(10)).toMatchObject({ simulated: true });
    expect(drive.at(10)).toEqual(simulatedDrive('device-1').at(10));
    expect(drive.at(10)).not.toEqual(simulatedDrive('device-2').at(10));
  });
});

const drives = new URL('../../../../../shared/drives/', import.meta.url);
const recorded = existsSync(drives) ? readdirSync(drives).filter((name) => name.endsWith('.csv')) : [];
(recorded.length > 0 ? describe : describe.skip)(
  'the recorded drives of ../shared/drives (skipped where absent)',
  () => {
    test.each(recorded.length > 0 ? recorded : ['../shared/drives is absent'])('%s parses whole', (name) => {
      const text = readFileSync(new URL(name, drives), 'utf8');
      const samples = parseCsvDrive(text);
      expect(samples.length).toBe(text.trim().split('\n').length - 1);
      expect(samples[0]?.measurement).toHaveProperty('soc');
    });
  },
);
