import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { Area, checkArea, isInside, type Position } from './geofence.js';

type Ring = [number, number][];
const polygon = (...rings: Ring[]): Area => checkArea(Area.parse({ type: 'Polygon', coordinates: rings }));
const box = (west: number, south: number, east: number, north: number): Ring => [
  [west, south],
  [east, south],
  [east, north],
  [west, north],
  [west, south],
];
const at = (longitude: number, latitude: number): Position => ({ longitude, latitude });

const berlin = polygon(box(13, 52, 14, 53), box(13.4, 52.4, 13.6, 52.6));
const fiji = polygon(box(176, -19, -178, -16));

test.each<[string, Area, Position, boolean]>([
  ['inside', berlin, at(13.1, 52.5), true],
  ['outside, east', berlin, at(14.1, 52.5), false],
  ['outside, on the same latitude as an edge', berlin, at(12, 52), false],
  ['on an edge', berlin, at(13, 52.5), true],
  ['on a corner', berlin, at(14, 53), true],
  ['in the hole', berlin, at(13.5, 52.5), false],
  ["on the hole's edge", berlin, at(13.4, 52.5), true],
  ['west of the antimeridian, inside', fiji, at(179.9, -17), true],
  ['east of the antimeridian, inside', fiji, at(-179, -17), true],
  ['on it, told from either side', fiji, at(180, -17), true],
  ['on it, told from the other side', fiji, at(-180, -17), true],
  ['east of it, outside', fiji, at(-177, -17), false],
  ['on the other side of the globe', fiji, at(0, -17), false],
  ['the same ring written the other way', polygon([...box(176, -19, -178, -16)].reverse()), at(-179, -17), true],
])('%s', (_name, area, position, expected) => {
  expect(isInside(area, position)).toBe(expected);
});

it('takes several polygons, as RFC 7946 §3.1.9 cuts areas at the antimeridian', () => {
  const cut = checkArea(
    Area.parse({ type: 'MultiPolygon', coordinates: [[box(176, -19, 180, -16)], [box(-180, -19, -178, -16)]] }),
  );
  for (const longitude of [175.9, 177, 180, -180, -179, -177.9]) {
    expect([longitude, isInside(cut, at(longitude, -17))]).toEqual([longitude, isInside(fiji, at(longitude, -17))]);
  }
});

it('agrees with comparing coordinates for boxes anywhere', () => {
  const degree = (min: number, max: number) => fc.integer({ min, max });
  fc.assert(
    fc.property(
      degree(-180, 180),
      degree(1, 170),
      degree(-89, 80),
      degree(1, 9),
      fc.double({ min: -180, max: 180, noNaN: true }),
      fc.double({ min: -90, max: 90, noNaN: true }),
      (west, width, south, height, longitude, latitude) => {
        const east = west + width > 180 ? west + width - 360 : west + width;
        const area = polygon(box(west, south, east, south + height));
        const fromWest = (((longitude - west) % 360) + 360) % 360;
        const expected = fromWest <= width && latitude >= south && latitude <= south + height;
        const nearEdge = [fromWest, fromWest - 360, fromWest - width].some((gap) => Math.abs(gap) < 1e-9);
        fc.pre(!nearEdge);
        expect(isInside(area, { longitude, latitude })).toBe(expected);
      },
    ),
    { numRuns: 500 },
  );
});

describe('what is no area', () => {
  test.each<[string, unknown]>([
    ['a point', { type: 'Point', coordinates: [1, 2] }],
    [
      'a ring of three',
      {
        type: 'Polygon',
        coordinates: [
          [
            [0, 0],
            [1, 1],
            [0, 0],
          ],
        ],
      },
    ],
    [
      'a latitude of 91',
      {
        type: 'Polygon',
        coordinates: [
          [
            [0, 0],
            [1, 91],
            [1, 0],
            [0, 0],
          ],
        ],
      },
    ],
    [
      'NaN',
      {
        type: 'Polygon',
        coordinates: [
          [
            [0, 0],
            [Number.NaN, 1],
            [1, 0],
            [0, 0],
          ],
        ],
      },
    ],
  ])('%s is refused by shape', (_name, value) => {
    expect(Area.safeParse(value).success).toBe(false);
  });

  test.each<[string, Ring]>([
    [
      'an open ring',
      [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
      ],
    ],
    [
      'a ring around the pole',
      [
        [0, 80],
        [120, 80],
        [-120, 80],
        [0, 80],
      ],
    ],
  ])('%s is refused', (_name, ring) => {
    expect(() => polygon(ring)).toThrow(expect.objectContaining({ code: 'policy.geofence_invalid' }));
  });
});
