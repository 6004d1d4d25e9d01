/** Reads from a command's state whether waiting is over, and how it went. */

export type Progress = 'under_way' | 'done' | 'failed' | 'nobody_knows';

/** `state`: as the command service says it; one never heard of is taken as under way. */
export function progressOf(state: string): Progress {
  if (state === 'succeeded') return 'done';
  if (['failed', 'refused', 'expired', 'cancelled'].includes(state)) return 'failed';
  return state === 'unknown' ? 'nobody_knows' : 'under_way';
}
