/** Decides what time asks of the signing keys: publish -> wait -> sign -> retire -> remove, so that no verifier meets a key it could not have fetched. */
import type { SigningKeyState } from './signing-key.js';

/** Seconds. */
export interface RotationPolicy {
  /** How long a key signs. */
  readonly signSeconds: number;
  /** How long a key is published before it signs: longer than any verifier keeps a key set. */
  readonly publishSeconds: number;
  /** How long a retired key is published on: the life of the longest token that it signed, and the skew. */
  readonly retireSeconds: number;
}

/** A key as time sees it. `since`: when it entered its state. */
export interface AgingKey {
  readonly kid: string;
  readonly state: SigningKeyState;
  readonly since: Date;
}

export type RotationStep =
  | { readonly kind: 'publish' }
  | { readonly kind: 'sign'; readonly kid: string }
  | { readonly kind: 'retire'; readonly kid: string }
  | { readonly kind: 'remove'; readonly kid: string };

/**
 * The steps that are due, in the order in which they are to be taken, all in one transaction. A signing key is retired only together
 * with its successor's coming into use, so one signs at every moment. A clock that was set back makes nothing due.
 */
export function dueSteps(keys: readonly AgingKey[], policy: RotationPolicy, now: Date): RotationStep[] {
  const agedBy = (key: AgingKey, seconds: number): boolean => now.getTime() - key.since.getTime() >= seconds * 1000;
  const inState = (state: SigningKeyState) =>
    keys.filter((key) => key.state === state).sort((a, b) => a.since.getTime() - b.since.getTime());
  const signing = inState('sign');
  const published = inState('publish');
  const removed = inState('retire').filter((key) => agedBy(key, policy.retireSeconds));
  const steps: RotationStep[] = removed.map(({ kid }) => ({ kind: 'remove', kid }));
  const next = published.find((key) => agedBy(key, policy.publishSeconds));
  if (next) {
    steps.push({ kind: 'sign', kid: next.kid });
    steps.push(...signing.map(({ kid }) => ({ kind: 'retire', kid }) as const));
  } else if (published.length === 0) {
    const youngest = signing.at(-1);
    if (!youngest || agedBy(youngest, policy.signSeconds - policy.publishSeconds)) steps.push({ kind: 'publish' });
  }
  return steps;
}
