/** How long an old certificate serves on beside its successor: as the successor's label says. */
import { defaultLabel, findLabel, type Labels } from '../label/label.js';

/** A label that is gone from the configuration leaves its certificates to the default. */
export function overlapSecondsOf(labels: Labels): (label: string) => number {
  return (name) => (findLabel(labels, name) ?? defaultLabel(labels)).policy.overlapSeconds;
}
