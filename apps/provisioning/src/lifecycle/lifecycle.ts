/** The lifecycle of a device as one table: which state follows which, by what event, and what holds it back. */
import type { DeviceState, RevocationReason } from '@outrider/contracts';

/** Why a device is quarantined. It leaves quarantine with the last of them. */
export const HOLDS = ['block', 'theft', 'finding', 'revocation'] as const;
export type Hold = (typeof HOLDS)[number];

/** What the registry itself holds against a device; each ends by its own report. */
const REPORTED: readonly Hold[] = ['theft', 'finding'];

export type LifecycleEvent =
  | { readonly kind: 'revoked'; readonly reason: RevocationReason }
  | { readonly kind: Exclude<EventKind, 'revoked' | 'suspended'> };

/**
 * `suspended`: revoked for certificateHold; `released`: that hold is over. `suspected`: a finding. `sold`: another owner. The last three before `retired` happen by
 * an order that a second operator approved, and by nothing else.
 */
export const EVENT_KINDS = [
  'enrolled',
  'blocked',
  'unblocked',
  'suspended',
  'released',
  'revoked',
  'theft_reported',
  'theft_cleared',
  'suspected',
  'suspicion_cleared',
  'workshop_entered',
  'workshop_left',
  'sold',
  'recovered',
  'reinstated',
  'ecu_swapped',
  'retired',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface Standing {
  readonly state: DeviceState;
  readonly holds: readonly Hold[];
  /** Where a quarantined device goes back to; null in every other state. */
  readonly resumes: 'registered' | 'active' | null;
  readonly inWorkshop: boolean;
}

/** `no`: may not happen here. `stay`: nothing changes. `hold`, `release`: into quarantine with one more reason, out of it with the last. */
export type Step = 'no' | 'stay' | 'hold' | 'release' | 'in' | 'out' | 'recover' | Exclude<DeviceState, 'quarantined'>;

type Row = Readonly<Record<DeviceState, Step>>;

const ANYWHERE = (step: Step): Row => ({
  registered: step,
  active: step,
  quarantined: step,
  awaiting_recovery: step,
  retired: 'no',
});
const HELD: Row = {
  registered: 'hold',
  active: 'hold',
  quarantined: 'hold',
  awaiting_recovery: 'stay',
  retired: 'stay',
};
const CLEARED: Row = { registered: 'no', active: 'no', quarantined: 'release', awaiting_recovery: 'no', retired: 'no' };

// biome-ignore format: a table is read by its columns
export const LIFECYCLE: Readonly<Record<EventKind, Row>> = {
  enrolled:          { registered: 'active', active: 'stay', quarantined: 'no', awaiting_recovery: 'no', retired: 'no' },
  blocked:           HELD,
  unblocked:         { registered: 'stay', active: 'stay', quarantined: 'release', awaiting_recovery: 'stay', retired: 'stay' },
  suspended:         HELD,
  released:          { registered: 'stay', active: 'stay', quarantined: 'release', awaiting_recovery: 'stay', retired: 'stay' },
  revoked:           { ...ANYWHERE('awaiting_recovery'), retired: 'stay' },
  theft_reported:    { ...HELD, retired: 'no' },
  theft_cleared:     CLEARED,
  suspected:         HELD,
  suspicion_cleared: CLEARED,
  workshop_entered:  ANYWHERE('in'),
  workshop_left:     ANYWHERE('out'),
  sold:              { registered: 'registered', active: 'registered', quarantined: 'no', awaiting_recovery: 'no', retired: 'no' },
  recovered:         { registered: 'no', active: 'no', quarantined: 'recover', awaiting_recovery: 'registered', retired: 'no' },
  reinstated:        { registered: 'no', active: 'no', quarantined: 'no', awaiting_recovery: 'no', retired: 'registered' },
  ecu_swapped:       { registered: 'registered', active: 'registered', quarantined: 'no', awaiting_recovery: 'registered', retired: 'no' },
  retired:           { ...ANYWHERE('retired'), retired: 'stay' },
};

const HOLD_OF: Readonly<Partial<Record<EventKind, Hold>>> = {
  blocked: 'block',
  unblocked: 'block',
  suspended: 'revocation',
  released: 'revocation',
  theft_reported: 'theft',
  theft_cleared: 'theft',
  suspected: 'finding',
  suspicion_cleared: 'finding',
};

/** A hold is what RFC 5280 calls a block; after any other reason only an approved order leads back. */
export function kindOf(event: LifecycleEvent): EventKind {
  return event.kind === 'revoked' && event.reason === 'certificateHold' ? 'suspended' : event.kind;
}

/** The standing after the event; the very same object where nothing changes; undefined where it may not happen in this state. */
export function transition(standing: Standing, event: LifecycleEvent): Standing | undefined {
  const kind = kindOf(event);
  const step = LIFECYCLE[kind][standing.state];
  switch (step) {
    case 'no':
      return undefined;
    case 'stay':
      return standing;
    case 'in':
    case 'out':
      return standing.inWorkshop === (step === 'in') ? standing : { ...standing, inWorkshop: step === 'in' };
    case 'hold':
      return hold(standing, HOLD_OF[kind] as Hold);
    case 'release':
      return release(standing, HOLD_OF[kind] as Hold, kind);
    case 'recover':
      // Out of a mere quarantine leads what put it there; a revocation is never taken back, so this order must. It ends no theft and no
      // suspicion: who reported those was not asked.
      return standing.holds.includes('revocation') && !standing.holds.some((one) => REPORTED.includes(one))
        ? settled(standing, 'registered')
        : undefined;
    default:
      return standing.state === step && standing.holds.length === 0 ? standing : settled(standing, step);
  }
}

/** What the registry itself asks of the denylist for a device; undefined: nothing. Blocks their owner puts there. */
export function denial({ state, holds }: Standing): { mode: 'deny' | 'recovery'; reason: string } | undefined {
  if (state === 'retired') return { mode: 'deny', reason: 'retired' };
  // Beside revocation's own claim: it may have named but a certificate whose key this device shares.
  if (state === 'awaiting_recovery') return { mode: 'deny', reason: 'awaiting_recovery' };
  const reason = holds.find((one) => REPORTED.includes(one));
  return state === 'quarantined' && reason ? { mode: 'recovery', reason } : undefined;
}

function hold(standing: Standing, reason: Hold): Standing {
  if (standing.holds.includes(reason)) return standing;
  const resumes =
    standing.state === 'quarantined' ? standing.resumes : standing.state === 'active' ? 'active' : 'registered';
  return { ...standing, state: 'quarantined', holds: [...standing.holds, reason], resumes };
}

function release(standing: Standing, reason: Hold, kind: EventKind): Standing | undefined {
  // An operator who ends a theft that nobody reported names the wrong device; an unblock or a release may come twice.
  if (!standing.holds.includes(reason)) return kind === 'unblocked' || kind === 'released' ? standing : undefined;
  const holds = standing.holds.filter((one) => one !== reason);
  if (holds.length > 0) return { ...standing, holds };
  return settled(standing, standing.resumes ?? 'registered');
}

/** Whatever held it, holds it no more. */
function settled(standing: Standing, state: DeviceState): Standing {
  return { ...standing, state, holds: [], resumes: null };
}
