/** What a device may still do, by its state: the one table that provisioning asks, and that other services' rules agree with. */
import type { DeviceState } from '@outrider/contracts';

/** `recoveryCommand`, `offlineLog`, `attest`: what denylist mode `recovery` leaves open, on routes marked so. */
export const ACTIVITIES = [
  'enrol',
  'renew',
  'token',
  'telemetry',
  'command',
  'recoveryCommand',
  'offlineLog',
  'attest',
] as const;
export type Activity = (typeof ACTIVITIES)[number];

/** A registered device has no certificate in force, so it can do one thing. Awaiting recovery and retired: denied everywhere. */
export const POLICY: Readonly<Record<DeviceState, readonly Activity[]>> = {
  registered: ['enrol'],
  active: ACTIVITIES,
  quarantined: ['recoveryCommand', 'offlineLog', 'attest'],
  awaiting_recovery: [],
  retired: [],
};

export function may(state: DeviceState, activity: Activity): boolean {
  return POLICY[state].includes(activity);
}
