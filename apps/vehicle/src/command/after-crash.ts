/** Decides what a vehicle says, after a start, of a command that it began and never answered. */
import { Command, type Done } from './command.js';
import type { AfterCrash } from './handlers.js';
import { openCommand } from './signed-command.js';
import { MAX_COMMAND_BYTES } from './verify.js';

export type Settlement =
  | { readonly kind: 'say'; readonly done: Done }
  /** Doing it once more is the same as having done it once. */
  | { readonly kind: 'again'; readonly command: Command };

/**
 * `done`: what it led to, where that was written down before the crash. `jws`: as it was verified and begun. `afterCrash`: of its
 * handler, undefined where there is none any more. `nowSeconds` since the epoch.
 */
export function settle(
  done: string | null,
  afterCrash: AfterCrash | undefined,
  jws: string,
  nowSeconds: number,
): Settlement {
  if (done !== null) {
    const known = JSON.parse(done) as Done;
    return { kind: 'say', done: { ...known, detail: `executed, outcome late after a crash: ${known.detail}` } };
  }
  const command = Command.parse(openCommand(jws, MAX_COMMAND_BYTES).content());
  if (afterCrash === 'repeatable' && command.exp > nowSeconds) return { kind: 'again', command };
  const detail = 'interrupted while it was carried out';
  return { kind: 'say', done: { result: 'uncertain', detail, time: nowSeconds } };
}
