/** Decides what becomes of a record in the queue after the platform's verdict on it. */

/** `queued`: to be sent; `sent`: the platform has it; `held`: only an offline log can deliver it; `refused`: set aside, with the code. */
export type RecordState = 'queued' | 'sent' | 'held' | 'refused';

export interface Transition {
  readonly state: RecordState;
  /** A person has to know: the vehicle and the platform disagree about something that should never differ. */
  readonly loud: boolean;
}

/** How often a record is sent again while the platform does not know its signing certificate yet. */
export const UNKNOWN_KID_ATTEMPTS = 20;

/**
 * `verdict`: as in the answer to `POST /v1/telemetry`; `attempts`: how often the record was sent, this time included.
 * Nothing is dropped: a verdict this agent has never heard of holds the record.
 */
export function afterVerdict(verdict: string, attempts: number): Transition {
  switch (verdict) {
    case 'accepted':
    case 'duplicate':
      return { state: 'sent', loud: false };
    case 'skewed':
    case 'too_old':
    case 'stale_epoch':
      return { state: 'held', loud: false };
    // A fault of the platform's own: the same again later.
    case 'failed':
      return { state: 'queued', loud: false };
    case 'epoch_refused':
      return { state: 'queued', loud: true };
    case 'unknown_kid':
      return attempts < UNKNOWN_KID_ATTEMPTS ? { state: 'queued', loud: false } : { state: 'held', loud: true };
    case 'replayed':
    case 'bad_signature':
    case 'wrong_device':
    case 'invalid':
      return { state: 'refused', loud: true };
    default:
      return { state: 'held', loud: true };
  }
}
