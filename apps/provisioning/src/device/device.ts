/** A device of the registry: what operators send and see of it, and whether an import says anything new. */
import { DeviceState, Grant } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { Reason, Ticket } from '../history/history.js';
import type { Hold } from '../lifecycle/lifecycle.js';
import { ManufacturerName } from '../manufacturer/manufacturer.js';

export const Label = z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,62}$/);
const Labels = z.array(Label).max(32);
const Grants = z.array(Grant).max(Grant.options.length);
/** ISO 3779: no I, O or Q. */
export const Vin = z.string().regex(/^[A-HJ-NPR-Z0-9]{17}$/);

/** X.520 serialNumber, PrintableString. */
export const FactorySerialNumber = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\x20-\x7e]+$/);
/** Model, revision. */
const Hardware = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^[\x20-\x7e]+$/);

/** What an operator registers. `serial_number`: the X.520 serialNumber in the factory certificate's subject, exactly. */
export const Registration = z.strictObject({
  device_id: DeviceId,
  manufacturer: ManufacturerName,
  serial_number: FactorySerialNumber,
  vin: Vin.optional(),
  hardware: Hardware.optional(),
  labels: Labels.optional(),
  grants: Grants.optional(),
});
export type Registration = z.infer<typeof Registration>;

/** One device, or many at once. */
export const RegistrationBody = z.union([
  z.strictObject({ devices: z.array(Registration).min(1).max(1000) }),
  Registration,
]);

/** What an operator may change of a device. */
export const CHANGEABLE = ['vin', 'hardware', 'labels', 'grants'] as const;

export const DevicePatch = z
  .strictObject({
    vin: Vin.nullable(),
    hardware: Hardware.nullable(),
    labels: Labels,
    grants: Grants,
    /** For the history. */
    reason: Reason,
    ticket: Ticket,
  })
  .partial()
  .refine((patch) => CHANGEABLE.some((field) => patch[field] !== undefined), 'nothing to change');
export type DevicePatch = z.infer<typeof DevicePatch>;

export interface Device {
  readonly deviceId: DeviceId;
  readonly manufacturer: string;
  readonly serialNumber: string;
  readonly vin: string | null;
  readonly hardware: string | null;
  readonly labels: readonly string[];
  readonly grants: readonly Grant[];
  readonly state: DeviceState;
  readonly holds: readonly Hold[];
  readonly inWorkshop: boolean;
  readonly recoveredAt: Date | null;
  readonly attestation: 'none' | 'hardware';
  readonly minEpoch: number;
  readonly version: number;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

/** What a registration leaves out says nothing; what it gives must be as it stands. */
export function isSameRegistration(device: Device, given: Registration): boolean {
  return (
    device.deviceId === given.device_id &&
    device.manufacturer === given.manufacturer &&
    device.serialNumber === given.serial_number &&
    (given.vin === undefined || given.vin === device.vin) &&
    (given.hardware === undefined || given.hardware === device.hardware) &&
    (given.labels === undefined || sameSet(given.labels, device.labels)) &&
    (given.grants === undefined || sameSet(given.grants, device.grants))
  );
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return new Set([...left, ...right]).size === new Set(left).size && new Set(left).size === new Set(right).size;
}

/** The document of the operator API. */
export function deviceDocument(device: Device) {
  return {
    device_id: device.deviceId,
    manufacturer: device.manufacturer,
    serial_number: device.serialNumber,
    ...(device.vin === null ? {} : { vin: device.vin }),
    ...(device.hardware === null ? {} : { hardware: device.hardware }),
    labels: device.labels,
    grants: device.grants,
    state: device.state,
    ...(device.holds.length === 0 ? {} : { held_for: device.holds }),
    ...(device.inWorkshop ? { in_workshop: true } : {}),
    attestation: device.attestation,
    min_epoch: device.minEpoch,
    version: device.version,
    created_at: device.createdAt.toISOString(),
    changed_at: device.changedAt.toISOString(),
  };
}

/** What other services keep of it (`provisioning.device.changed.v1`). */
export function deviceSnapshot(device: Device) {
  return {
    deviceId: device.deviceId,
    state: device.state,
    grants: [...device.grants],
    attestation: device.attestation,
    labels: [...device.labels],
    manufacturer: device.manufacturer,
    minEpoch: device.minEpoch,
    version: device.version,
    changedAt: device.changedAt.toISOString(),
  };
}
