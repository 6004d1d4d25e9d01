import { describe, expect, it, test } from '@jest/globals';
import { readGeofence } from './geofence-file.js';

const area = {
  type: 'Polygon',
  coordinates: [
    [
      [13, 52],
      [14, 52],
      [14, 53],
      [13, 52],
    ],
  ],
};
const feature = {
  type: 'Feature',
  geometry: area,
  properties: { name: 'berlin', required_for: ['vans'], time_zone: 'Europe/Berlin' },
};

describe('a geofence file', () => {
  it('is a feature that says all', () => {
    expect(readGeofence(JSON.stringify(feature), {})).toEqual({
      name: 'berlin',
      body: { area, required_for: ['vans'], time_zone: 'Europe/Berlin' },
    });
  });

  it('is a bare polygon, the rest by options, which go before the file', () => {
    const options = { name: 'b', requiredFor: ['x'], timeZone: 'UTC' };
    const wish = { name: 'b', body: { area, required_for: ['x'], time_zone: 'UTC' } };
    expect(readGeofence(JSON.stringify(area), options)).toEqual(wish);
    expect(readGeofence(JSON.stringify(feature), options)).toEqual(wish);
    expect(readGeofence(JSON.stringify({ ...feature, properties: null }), { name: 'b' })).toEqual({
      name: 'b',
      body: { area, required_for: [] },
    });
  });

  test.each([
    ['without a name', JSON.stringify(area), 'no name'],
    ['a point', JSON.stringify({ type: 'Point', coordinates: [1, 2] }), 'neither'],
    ['no JSON', 'berlin', 'neither'],
  ])('%s is refused', (_name, text, message) => {
    expect(() => readGeofence(text, {})).toThrow(message);
  });
});
