/** What happens to a vehicle, as events that a person reads as a line and a program as JSON. */

/** Durations in ms; instants as ISO 8601. `event` tells which other members there are. */
export type VehicleEvent =
  | { event: 'started'; state: string; drive: string; source: string; queued: number; held: number }
  | { event: 'enrolled' | 'renewed'; thumbprint: string; serial: string; notAfter: string; renewAt: string; ms: number }
  | { event: 'awaiting_approval'; retryInMs: number }
  | { event: 'renewal_window'; start: string; end: string; renewAt: string }
  | { event: 'no_renewal_info'; why: string; renewAt: string }
  | { event: 'root_learned' | 'root_given_up'; thumbprint: string; name: string }
  | { event: 'token'; scope: string; expiresInSeconds: number; ms: number }
  | { event: 'token_refused'; scope: string; code: string; detail: string }
  | { event: 'accepted' | 'duplicate'; seq: number; upTo: number; count: number; ms: number; queued: number }
  | { event: 'held'; seq: number; upTo: number; count: number; verdict: string }
  | { event: 'resent'; count: number; gaps: string }
  | { event: 'backfilled'; order: string; count: number; delivered: number; ranges: string; ms: number }
  | { event: 'order_closed'; order: string; why: string }
  | { event: 'log_refused'; what: string; code: string; detail: string }
  | { event: 'refused'; seq: number; verdict: string; code: string }
  | { event: 'epoch_raised'; epoch: number; why: string; held: number }
  | { event: 'stream_open' | 'stream_renewed' }
  | { event: 'command_received'; id: string; critical: boolean }
  | { event: 'command_refused'; id: string; code: string; detail: string }
  | { event: 'command_executing'; id: string; name: string }
  | { event: 'command_done'; id: string; name: string; result: string; detail: string; ms: number }
  | { event: 'command_dry_run'; id: string; name: string; detail: string }
  | { event: 'command_again'; id: string }
  | { event: 'outcome_delivered'; id: string; result: string }
  | { event: 'outcome_rejected'; id: string; code: string }
  | { event: 'effect'; name: string; value: string; simulated: boolean }
  | { event: 'denied'; service: string; code: string }
  | { event: 'offline'; service: string; kind: string; detail: string; retryInMs: number }
  | { event: 'online'; service: string }
  | { event: 'failed'; what: string; code: string; detail: string }
  | { event: 'stopped'; queued: number; sent: number; held: number; refused: number };

/** `at`: the vehicle's wall clock, ISO 8601 with ms. */
export type ReportedEvent = VehicleEvent & { readonly at: string; readonly device: string };

const LOUD = new Set([
  'refused',
  'log_refused',
  'command_refused',
  'denied',
  'failed',
  'token_refused',
  'outcome_rejected',
  'epoch_raised',
]);

/** True for what a person has to look at. */
export function isLoud({ event }: VehicleEvent): boolean {
  return LOUD.has(event);
}

/** One line for a person: time, vehicle, what happened, the rest as `name=value`. */
export function eventLine({ at, device, event, ...rest }: ReportedEvent): string {
  const words = Object.entries(rest).map(([name, value]) => `${name}=${printable(value)}`);
  const mark = isLoud({ event } as VehicleEvent) ? '! ' : '  ';
  return [at.slice(11, 23), device, `${mark}${event.replaceAll('_', ' ')}`, ...words].join(' ');
}

/** Text from outside must not be able to write lines of its own or move a terminal's cursor. */
function printable(value: unknown): string {
  const text = String(value).replaceAll(/\p{Cc}/gu, '?');
  return /\s/.test(text) ? JSON.stringify(text) : text;
}
