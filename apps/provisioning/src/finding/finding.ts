/** Findings of clone detection: what each says, and how long one and the same is raised once only. */
import { FindingKind } from '@outrider/contracts';
import { DeviceId, type Thumbprint } from '@outrider/ids';
import { z } from 'zod';

export interface Finding {
  readonly kind: FindingKind;
  /** No vehicle does so by itself, and the request was refused: by policy the device is quarantined for it. Else it is for a person to judge. */
  readonly certain: boolean;
  /** The certificates it is about, the presented one first. */
  readonly thumbprints: readonly Thumbprint[];
  readonly remoteAddresses: readonly string[];
  readonly detail: string;
  /** With device and kind: what makes the next one the same. Nothing a stranger can vary at will, or the log would grow with it. */
  readonly about: string;
}

/** A finding goes on being the same one for so long. */
export const SAME_FINDING_MS = 3_600_000;

/** As it is kept, append-only. `sequence` orders the pages. */
export interface StoredFinding extends Omit<Finding, 'about'> {
  readonly findingId: string;
  readonly sequence: string;
  readonly deviceId: DeviceId;
  readonly label: string;
  readonly quarantined: boolean;
  readonly at: Date;
}

/** One of each in what one request led to. */
export function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [`${one.kind} ${one.about}`, one])).values()];
}

function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

export const FindingQuery = z.strictObject({
  device: orAbsent(DeviceId),
  kind: orAbsent(FindingKind),
  certain: orAbsent(z.enum(['true', 'false']).transform((text) => text === 'true')),
  /** The `next` of the page before. */
  after: orAbsent(z.string().regex(/^[1-9][0-9]{0,17}$/)),
  limit: orAbsent(z.coerce.number().int().min(1).max(1000)),
});
export type FindingQuery = z.output<typeof FindingQuery>;

/** @param items at most one more than `limit`, newest first: the one too many tells that there are older ones. */
export function findingPage(items: readonly StoredFinding[], limit: number) {
  const page = items.slice(0, limit);
  return {
    items: page.map((one) => ({
      id: one.findingId,
      kind: one.kind,
      device_id: one.deviceId,
      certain: one.certain,
      quarantined: one.quarantined,
      label: one.label,
      thumbprints: one.thumbprints,
      remote_addresses: one.remoteAddresses,
      detail: one.detail,
      at: one.at.toISOString(),
    })),
    next: items.length > limit ? (page.at(-1)?.sequence ?? null) : null,
  };
}
