import { describe, expect, it, test } from '@jest/globals';
import { type Area, isInside } from '@outrider/policy';
import fc from 'fast-check';
import { compileGeofence, type Geofence, membership } from './geofence.js';

const square = (west: number, south: number, east: number, north: number): Area => ({
  type: 'Polygon',
  coordinates: [
    [
      [west, south],
      [east, south],
      [east, north],
      [west, north],
      [west, south],
    ],
  ],
});
const fence = (name: string, area: Area, parts: Partial<Geofence> = {}) =>
  compileGeofence({ name, area, requiredFor: [], timeZone: null, ...parts });

const yard = fence('yard', square(10, 50, 11, 51), { requiredFor: ['yard-only', 'test'], timeZone: 'Europe/Berlin' });
const town = fence('town', square(9, 49, 12, 52), { requiredFor: ['test'], timeZone: 'Europe/Paris' });
const fiji = fence('fiji', square(177, -20, -178, -15), { requiredFor: ['fiji'] });
const fences = [fiji, town, yard];
const at = (longitude: number, latitude: number) => ({ longitude, latitude });

describe('membership', () => {
  test.each([
    ['in both', at(10.5, 50.5), [], ['town', 'yard'], false, 'Europe/Paris'],
    ['in one', at(9.5, 50.5), [], ['town'], false, 'Europe/Paris'],
    ['nowhere, and free to be', at(0, 0), [], [], false, 'UTC'],
    ['outside of what it has to keep to', at(9.5, 50.5), ['yard-only'], ['town'], true, 'Europe/Berlin'],
    ['in one of two that it may be in', at(9.5, 50.5), ['test'], ['town'], false, 'Europe/Paris'],
    ['nobody knows where, and it has to keep to one', undefined, ['yard-only'], [], true, 'Europe/Berlin'],
    ['nobody knows where, and it is free', undefined, ['other'], [], false, 'UTC'],
    ['across the antimeridian, to the east', at(-179, -17), ['fiji'], ['fiji'], false, 'UTC'],
    ['across the antimeridian, to the west', at(179, -17), ['fiji'], ['fiji'], false, 'UTC'],
    ['on the other side of the world', at(0, -17), ['fiji'], [], true, 'UTC'],
  ] as const)('%s', (_name, position, labels, inside, outsideGeofence, timeZone) => {
    expect(membership(fences, labels, position)).toEqual({ inside, outsideGeofence, timeZone });
  });

  it('a box never hides what the area holds', () => {
    const corner = fc.record({
      west: fc.integer({ min: -180, max: 180 }),
      width: fc.integer({ min: 1, max: 90 }),
      south: fc.integer({ min: -80, max: 40 }),
      height: fc.integer({ min: 1, max: 40 }),
    });
    const wrap = (longitude: number) => (longitude > 180 ? longitude - 360 : longitude);
    const place = fc.record({
      longitude: fc.integer({ min: -180, max: 180 }),
      latitude: fc.integer({ min: -90, max: 90 }),
    });
    fc.assert(
      fc.property(corner, place, ({ west, width, south, height }, position) => {
        const area = square(west, south, wrap(west + width), south + height);
        expect(membership([fence('one', area)], [], position).inside.length === 1).toBe(isInside(area, position));
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses an area that is none', () => {
    const open: Area = {
      type: 'Polygon',
      coordinates: [
        [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 1],
        ],
      ],
    };
    expect(() => fence('open', open)).toThrow(expect.objectContaining({ code: 'policy.geofence_invalid' }));
  });
});
