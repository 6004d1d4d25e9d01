/** Labels for tests, described by what differs from a plain one. */
import { type Label, LabelName, LabelPolicy } from './label.js';

/** Preregistered devices, an hour, every key type, nothing else asked. */
export function labelPolicy(parts: Partial<LabelPolicy> = {}): LabelPolicy {
  return LabelPolicy.parse({
    profile: 'vehicle',
    authority: 'vehicle-ca',
    lifetimeSeconds: 3600,
    overlapSeconds: 600,
    keyAlgorithms: ['P-256', 'P-384', 'Ed25519'],
    bootstrap: 'preregistered',
    manufacturers: [],
    deviceLabels: [],
    renewsFrom: [],
    channelBinding: 'optional',
    serverKeyGeneration: false,
    expiredGraceSeconds: 0,
    renewal: { windowStart: 0.5, windowEnd: 0.8 },
    cloneDetection: 'report',
    ...parts,
  } satisfies LabelPolicy);
}

export function label(name = 'default', parts: Partial<LabelPolicy> = {}): Label {
  return { name: LabelName.parse(name), policy: labelPolicy(parts) };
}
