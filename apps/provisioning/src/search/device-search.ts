/** What operators may look for in the registry, and the SQL that finds it: a filter each, one order for all. */
import { DeviceState } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { FactorySerialNumber, Label, Vin } from '../device/device.js';
import { ManufacturerName } from '../manufacturer/manufacturer.js';

const Flag = z.enum(['true', 'false']).transform((text) => text === 'true');
/** Repeated in a query string it is a list already. */
const Labels = z.union([Label.transform((label) => [label]), z.array(Label)]).pipe(z.array(z.string()).min(1).max(8));

export const DeviceSearch = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .pipe(DeviceId)
    .optional(),
  state: DeviceState.optional(),
  /** Several: a device that carries all of them. */
  label: Labels.optional(),
  manufacturer: ManufacturerName.optional(),
  vin: Vin.optional(),
  serial_number: FactorySerialNumber.optional(),
  /** What the device id begins with. */
  prefix: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/)
    .optional(),
  /** Whether it holds a fleet certificate that is good now. */
  enrolled: Flag.optional(),
  /** Devices that hold one, the last of which ends before then. */
  expires_before: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional(),
});
export type DeviceSearch = z.infer<typeof DeviceSearch>;

/** Opaque to the caller. */
export function cursorOf(deviceId: DeviceId): string {
  return Buffer.from(deviceId, 'latin1').toString('base64url');
}

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** Certificates that a vehicle can use: handed out or seen, and not over. */
const GOOD = `c.device_id = d.device_id AND c.status IN ('pending', 'live') AND c.not_after`;
/** After every character that a device id may hold, in the order of bytes. */
const LAST = '~';

/** The statement for one page: one row more than the limit where there are more. Each condition has an index (see the migration). */
export function searchStatement(search: DeviceSearch, now: Date): Statement {
  const parameters: unknown[] = [];
  const value = (given: unknown) => `$${parameters.push(given)}`;
  const conditions: string[] = [];
  if (search.after !== undefined) conditions.push(`${ID} > ${value(search.after)}`);
  if (search.state !== undefined) conditions.push(`d.state = ${value(search.state)}`);
  if (search.label !== undefined) conditions.push(`d.labels @> ${value(search.label)}::text[]`);
  if (search.manufacturer !== undefined) conditions.push(`d.manufacturer = ${value(search.manufacturer)}`);
  if (search.vin !== undefined) conditions.push(`d.vin = ${value(search.vin)}`);
  if (search.serial_number !== undefined) conditions.push(`d.serial_number = ${value(search.serial_number)}`);
  if (search.prefix !== undefined) {
    conditions.push(`${ID} >= ${value(search.prefix)} AND ${ID} < ${value(search.prefix + LAST)}`);
  }
  if (search.enrolled !== undefined) {
    const held = `EXISTS (SELECT 1 FROM certificates c WHERE ${GOOD} > ${value(now)})`;
    conditions.push(search.enrolled ? held : `NOT ${held}`);
  }
  if (search.expires_before !== undefined) {
    const [from, until] = [value(now), value(search.expires_before)];
    conditions.push(`d.device_id IN (SELECT c.device_id FROM certificates c
      WHERE c.status IN ('pending', 'live') AND c.not_after > ${from} AND c.not_after < ${until})`);
    conditions.push(`NOT EXISTS (SELECT 1 FROM certificates c WHERE ${GOOD} >= ${until})`);
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const sql = `SELECT d.device_id FROM devices d ${where} ORDER BY ${ID} LIMIT ${value(search.limit + 1)}`;
  return { sql, parameters };
}

/** In the order of bytes, whatever the database's locale. */
const ID = 'd.device_id COLLATE "C"';
