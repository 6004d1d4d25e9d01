import { describe, expect, it, test } from '@jest/globals';
import {
  DeviceId,
  deviceSpiffeId,
  parseVehicleSpiffeId,
  SequenceNumber,
  SerialNumber,
  serviceNumber,
  Thumbprint,
  TrustDomain,
} from './index.js';

const domain = TrustDomain.parse('fleet.example.com');

describe('device ids', () => {
  it.each(['abc', 'device-12345', '0-0', 'a'.repeat(63)])('%s is one', (id) =>
    expect(DeviceId.safeParse(id).success).toBe(true),
  );
  it.each(['ab', 'A-device', '-device', 'device_1', 'device 1', 'a'.repeat(64), '', 'dévice'])('"%s" is none', (id) =>
    expect(DeviceId.safeParse(id).success).toBe(false),
  );
});

describe('serial numbers', () => {
  it.each([
    ['0A:1b:2C', '0a1b2c'],
    ['abc', '0abc'],
    ['0x0abc', '0abc'],
    ['00ff', 'ff'],
    ['0000', '00'],
  ])('%s is read as %s', (text, serial) => expect(SerialNumber.parse(text)).toBe(serial));
  it.each(['', 'xyz', 'ab'.repeat(21), '-1'])('"%s" is none', (text) =>
    expect(SerialNumber.safeParse(text).success).toBe(false),
  );
});

test('a thumbprint is 43 characters of canonical base64url: the last one holds four bits', () => {
  const ends = (last: string) => Thumbprint.safeParse(`${'A'.repeat(42)}${last}`).success;
  expect([ends('A'), ends('B'), ends('='), Thumbprint.safeParse('a'.repeat(64)).success]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('a SPIFFE id names a vehicle of exactly our trust domain', () => {
  const id = DeviceId.parse('device-12345');
  expect(parseVehicleSpiffeId(deviceSpiffeId(domain, id), domain)).toBe(id);
  for (const other of [
    'spiffe://fleet.example.com.evil/vehicle/device-12345',
    'spiffe://fleet.example.com/vehicle/device-12345/x',
    'spiffe://fleet.example.com/service/command',
    'SPIFFE://fleet.example.com/vehicle/device-12345',
  ]) {
    expect(parseVehicleSpiffeId(other, domain)).toBeUndefined();
  }
});

test('sequence numbers are whole, positive and safe', () => {
  expect([1, 2 ** 53 - 1].every((n) => SequenceNumber.safeParse(n).success)).toBe(true);
  expect([0, -1, 1.5, 2 ** 53, '7', null].some((n) => SequenceNumber.safeParse(n).success)).toBe(false);
});

test('ports follow the order of the services', () => {
  expect([serviceNumber('fleet-ca'), serviceNumber('gateway')]).toEqual([0, 6]);
});
