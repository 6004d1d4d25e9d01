import { describe, expect, it, test } from '@jest/globals';
import { MAX_LINE_BYTES, readHeader, readLine } from './registration-line.js';

const line = (text: string | Uint8Array, tooLong = false) => ({ number: 2, bytes: Buffer.from(text), tooLong });
const COLUMNS = ['device_id', 'manufacturer', 'serial_number', 'vin', 'labels', 'grants'];
const csv = (text: string) => readLine(line(text), 'csv', COLUMNS);
const json = (text: string) => readLine(line(text), 'ndjson', []);
const plain = { device_id: 'car-1', manufacturer: 'demo-motors', serial_number: 'DM-1' };

describe('the header of CSV', () => {
  it('names the columns in any order', () => {
    expect(readHeader(line('serial_number,"device_id", manufacturer,labels'))).toEqual([
      'serial_number',
      'device_id',
      'manufacturer',
      'labels',
    ]);
  });
  test.each([
    ['device_id,manufacturer', /missing: serial_number/],
    ['device_id,manufacturer,serial_number,colour', /"colour"/],
    ['device_id,manufacturer,serial_number,vin,vin', /twice/],
    ['device_id;manufacturer;serial_number', /no column/],
    ['"device_id,manufacturer', /quotes/],
  ])('%s', (text, says) => expect(() => readHeader(line(text))).toThrow(says));
});

describe('a line of CSV', () => {
  it('is a registration; an empty field says nothing', () => {
    expect(csv('car-1,demo-motors,DM-1,,,')).toEqual({ ok: true, registration: plain });
    expect(csv('car-1,demo-motors,"DM-""1"", a",1HGCM82633A004352,"eu|trucks",command:receive')).toEqual({
      ok: true,
      registration: {
        ...plain,
        serial_number: 'DM-"1", a',
        vin: '1HGCM82633A004352',
        labels: ['eu', 'trucks'],
        grants: ['command:receive'],
      },
    });
  });
  test.each([
    ['car-1,demo-motors', 'request.invalid', /2 fields for 6 columns/],
    ['UPPER,demo-motors,DM-1,,,', 'request.invalid', /device_id/],
    ['car-1,demo-motors,,,,', 'request.invalid', /serial_number/],
    ['car-1,demo-motors,DM-1,SHORT,,', 'request.invalid', /vin/],
    ['car-1,demo-motors,"DM-1,,,', 'request.malformed', /quotes/],
    ['car-1,demo-motors,"DM-1"x,,,', 'request.malformed', /quotes/],
    ['car-1,demo-motors,DM-1,,,root', 'request.invalid', /grants/],
  ])('%s', (text, code, detail) =>
    expect(csv(text)).toMatchObject({ ok: false, code, detail: expect.stringMatching(detail) }),
  );
  it('that is too long or no UTF-8 is refused alone', () => {
    expect(readLine(line('car-1', true), 'csv', COLUMNS)).toMatchObject({ code: 'request.too_large' });
    expect(readLine(line(Uint8Array.of(0x63, 0xff, 0x2c)), 'csv', COLUMNS)).toMatchObject({
      code: 'request.malformed',
    });
    expect(readLine(line(Uint8Array.of(0x63, 0xff)), 'ndjson', [])).toMatchObject({ code: 'request.malformed' });
  });
});

describe('a line of NDJSON', () => {
  it('is a registration', () => {
    expect(json(JSON.stringify(plain))).toEqual({ ok: true, registration: plain });
  });
  test.each([
    [
      '{"device_id":"car-1","device_id":"car-2","manufacturer":"demo-motors","serial_number":"DM-1"}',
      'request.malformed',
    ],
    ['{"device_id":', 'request.malformed'],
    ['[]', 'request.invalid'],
    [JSON.stringify({ ...plain, extra: 1 }), 'request.invalid'],
    [`${'['.repeat(1000)}${']'.repeat(1000)}`, 'request.malformed'],
    ['"\\ud800"', 'request.malformed'],
  ])('%s', (text, code) => expect(json(text)).toMatchObject({ ok: false, code }));
  it('with characters that a database keeps not is an answer that it keeps', () => {
    const cut = `${'x'.repeat(600)}`.replaceAll('x', '\u{1F697}');
    for (const name of ['a\\u0000b', 'a\\u001b[2J', cut]) {
      const answer = json(`{"device_id":"car-1","manufacturer":"demo-motors","serial_number":"DM-1","${name}":1}`);
      expect(answer).toMatchObject({ ok: false, code: 'request.invalid' });
      expect(answer).toMatchObject({ detail: expect.not.stringMatching(/[\p{Cc}\p{Cs}]/u) });
    }
  });
  it('says at most so much of what is wrong', () => {
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, 1])));
    expect(many.length).toBeLessThan(MAX_LINE_BYTES);
    const read = json(many);
    expect(read.ok ? '' : read.detail.length).toBeLessThanOrEqual(500);
  });
});
