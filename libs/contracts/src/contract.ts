/** The shape of a contract: a message between services as a value, not a string at a call site. */
import type { Service } from '@outrider/ids';
import type { z } from 'zod';

/** Something that happened. Kept by the JetStream stream EVENTS unless `ephemeral`; a routed subject gets the routing token (a device id, an instance) last. */
export interface EventContract<P extends z.ZodType = z.ZodType> {
  readonly kind: 'event';
  readonly subject: string;
  readonly routed: boolean;
  /** Core NATS only: whoever listens now hears it. */
  readonly ephemeral: boolean;
  /** Only the latest of each routing token counts: a consumer starts at those, and acknowledges all before one at once. */
  readonly latest: boolean;
  /** The sender reads the last one of each routing token back: what it had said before its own memory was restored from a backup. */
  readonly readBack: boolean;
  readonly from: readonly Service[];
  readonly to: readonly Service[];
  /** Of a kept event: who may also listen to it as it happens, by core NATS, and misses what he does not hear. */
  readonly live: readonly Service[];
  readonly payload: P;
}

/** A question with an answer, over core NATS request/reply. Errors come back as a code of `libs/errors`. */
export interface RequestContract<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  readonly kind: 'request';
  readonly subject: string;
  readonly from: readonly Service[];
  readonly to: Service;
  readonly payload: P;
  readonly reply: R;
}

export type Contract = EventContract | RequestContract;

type EventInput<P extends z.ZodType> = {
  subject: string;
  from: Service | readonly Service[];
  to: readonly Service[];
  routed?: boolean;
  ephemeral?: boolean;
  latest?: boolean;
  readBack?: boolean;
  live?: readonly Service[];
  payload: P;
};

/** Declares an event `<owner>.<noun>.<event>.v<n>`. */
export function event<P extends z.ZodType>(input: EventInput<P>): EventContract<P> {
  const from = typeof input.from === 'string' ? [input.from] : input.from;
  return { kind: 'event', routed: false, ephemeral: false, latest: false, readBack: false, live: [], ...input, from };
}

/** Declares a request `<owner>.<noun>.<verb>.v<n>`; `to` is the owner that answers. */
export function request<P extends z.ZodType, R extends z.ZodType>(
  input: Omit<RequestContract<P, R>, 'kind'>,
): RequestContract<P, R> {
  return { kind: 'request', ...input };
}

/** The subject a publisher uses: with the routing token where the contract is routed. Throws a plain error on a misuse: that is a bug. */
export function subjectOf(contract: EventContract, routing?: string): string {
  if (contract.routed !== (routing !== undefined)) throw new Error(`${contract.subject}: routing token misused`);
  if (routing === undefined) return contract.subject;
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(routing)) throw new Error(`${contract.subject}: bad routing token`);
  return `${contract.subject}.${routing}`;
}

/** The subject a subscriber filters on. */
export function filterOf(contract: EventContract): string {
  return contract.routed ? `${contract.subject}.*` : contract.subject;
}
