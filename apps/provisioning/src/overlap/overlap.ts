/** What the first authenticated use of a certificate means for the others of its device (renewal and overlap). */
import type { Thumbprint } from '@outrider/ids';
import { type HeldCertificate, isLapsed, isLive, newest } from '../certificate/certificate.js';

export interface FirstUse {
  /** Live from now on. */
  readonly used: Thumbprint;
  /** The predecessor, live until then beside it. */
  readonly overlap?: { readonly thumbprint: Thumbprint; readonly endsAt: Date };
  /** Live ones older than the predecessor: two at most are live, so these give way at once. */
  readonly giveWay: readonly Thumbprint[];
}

/**
 * @param seenAt as the service that saw it says; a time ahead of ours counts as now.
 * @returns undefined when there is nothing to do: unknown, seen before, lapsed, or out of service.
 */
export function firstUse(
  held: readonly HeldCertificate[],
  thumbprint: Thumbprint,
  seenAt: Date,
  overlapSeconds: number,
  now: Date,
): FirstUse | undefined {
  const used = held.find((one) => one.thumbprint === thumbprint);
  if (used?.status !== 'pending' || isLapsed(used, now)) return undefined;
  const live = held.filter((one) => isLive(one, now));
  const predecessor = live.find((one) => one.thumbprint === used.askedBy) ?? newest(live);
  if (!predecessor) return { used: thumbprint, giveWay: [] };
  const begins = Math.min(seenAt.getTime(), now.getTime());
  const giveWay = live.filter((one) => one !== predecessor).map((one) => one.thumbprint);
  const endsAt = new Date(begins + overlapSeconds * 1000);
  return { used: thumbprint, overlap: { thumbprint: predecessor.thumbprint, endsAt }, giveWay };
}
