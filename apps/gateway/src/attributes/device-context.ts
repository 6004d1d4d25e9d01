/** Puts together what a policy may know of a vehicle at this moment. */
import type { DeviceContext } from '@outrider/contracts';
import type { Membership } from '../geofence/geofence.js';
import type { Conditions } from './conditions.js';

export type RegistryWord = Pick<DeviceContext, 'state' | 'attestation' | 'labels'>;

/** Whole numbers, as policies count: speed rounded up, ages down; what a clock ahead of ours says is of now. */
export function deviceContext(
  device: RegistryWord,
  conditions: Conditions | undefined,
  { inside, outsideGeofence, timeZone }: Membership,
  now: Date,
): DeviceContext {
  const { state, attestation, labels } = device;
  return {
    state,
    attestation,
    labels: [...labels],
    timeZone,
    ...(conditions
      ? { telemetryAgeSeconds: Math.max(0, Math.floor((now.getTime() - conditions.measuredAtMs) / 1000)) }
      : {}),
    ...(conditions?.speedKmh === undefined ? {} : { speedKmh: Math.ceil(conditions.speedKmh) }),
    ...(conditions?.health === undefined ? {} : { health: conditions.health }),
    geofences: [...inside],
    outsideGeofence,
  };
}
