/**
 * Decides how long somebody who keeps failing has to wait. Failures count against who makes them (a network, a network trying one
 * name, a known device), never against the name alone: nobody can lock out somebody else.
 */
import { parseNetwork } from '@outrider/admission';

/** `free`: failures without a wait; then `firstWaitSeconds`, doubled with each failure up to `maxWaitSeconds`; forgotten after `forgetSeconds` without one. */
export interface ThrottlePolicy {
  readonly free: number;
  readonly firstWaitSeconds: number;
  readonly maxWaitSeconds: number;
  readonly forgetSeconds: number;
}

/**
 * `network`: many people may sit behind one address; `name`: one name tried from one network; `device`: one that this person has
 * signed in with; `factor`: codes for one account whose password was right, from devices not known.
 */
export const THROTTLES = {
  network: { free: 30, firstWaitSeconds: 1, maxWaitSeconds: 60, forgetSeconds: 3600 },
  name: { free: 5, firstWaitSeconds: 1, maxWaitSeconds: 900, forgetSeconds: 3600 },
  device: { free: 5, firstWaitSeconds: 1, maxWaitSeconds: 900, forgetSeconds: 3600 },
  factor: { free: 10, firstWaitSeconds: 1, maxWaitSeconds: 900, forgetSeconds: 3600 },
} as const satisfies Readonly<Record<string, ThrottlePolicy>>;
export type ThrottleScope = keyof typeof THROTTLES;

/** `failedAtMs`: of the last failure, milliseconds since the epoch. */
export interface Failures {
  readonly count: number;
  readonly failedAtMs: number;
}

/** Milliseconds to wait still; 0: may try now. */
export function waitMs(failures: Failures | undefined, policy: ThrottlePolicy, nowMs: number): number {
  const count = counted(failures, policy, nowMs);
  if (!failures || count < policy.free) return 0;
  // Doubling is bounded before it is done: 2 to the power of a stranger's patience is no number.
  const doublings = Math.min(count - policy.free, 20);
  const seconds = Math.min(policy.firstWaitSeconds * 2 ** doublings, policy.maxWaitSeconds);
  return Math.max(0, failures.failedAtMs + seconds * 1000 - nowMs);
}

/** With one more failure. An attempt is counted before it is judged, so that a hundred at once are a hundred. */
export function afterFailure(failures: Failures | undefined, policy: ThrottlePolicy, nowMs: number): Failures {
  return { count: counted(failures, policy, nowMs) + 1, failedAtMs: nowMs };
}

/** What a network is: an IPv4 address, or the 64 bits of an IPv6 address that one subscriber has. */
export function networkOf(address: string): string {
  const network = parseNetwork(address);
  if (!network) return 'unknown';
  if (network.bits === 32) return `4/${network.number.toString(16)}`;
  return `6/${(network.number >> 64n).toString(16)}`;
}

function counted(failures: Failures | undefined, { forgetSeconds }: ThrottlePolicy, nowMs: number): number {
  if (!failures || nowMs - failures.failedAtMs >= forgetSeconds * 1000) return 0;
  return failures.count;
}
