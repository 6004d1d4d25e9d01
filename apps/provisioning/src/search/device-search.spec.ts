import { describe, expect, it, test } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { cursorOf, DeviceSearch, searchStatement } from './device-search.js';

const now = new Date('2026-01-01T00:00:00Z');

describe('a search', () => {
  it('begins after its cursor and asks for one row more than it shows', () => {
    const search = DeviceSearch.parse({ after: cursorOf(DeviceId.parse('car-1')), limit: '7' });
    expect(searchStatement(search, now).parameters).toEqual(['car-1', 8]);
  });

  it('gives every condition as a parameter, none as text', () => {
    const search = DeviceSearch.parse({
      state: 'active',
      label: ['eu', 'trucks'],
      manufacturer: 'demo-motors',
      vin: '1HGCM82633A004352',
      serial_number: "x' OR 1=1 --",
      prefix: 'car-',
      enrolled: 'true',
      expires_before: '2026-02-01T00:00:00Z',
    });
    const { sql, parameters } = searchStatement(search, now);
    expect(sql).not.toContain('OR 1=1');
    expect(new Set(sql.match(/\$\d+/g)).size).toBe(parameters.length);
    expect(parameters).toContainEqual(['eu', 'trucks']);
  });

  test.each([
    { limit: '0' },
    { limit: '1001' },
    { state: 'gone' },
    { label: '' },
    { label: ['eu', 'UPPER'] },
    { vin: 'SHORT' },
    { prefix: '%' },
    { prefix: 'A' },
    { enrolled: 'yes' },
    { expires_before: 'tomorrow' },
    { after: '!' },
    { other: '1' },
  ])('%j is none', (query) => expect(DeviceSearch.safeParse(query).success).toBe(false));
});
