/** The EST labels of the local default: one for each thing that a label can ask for, so that each can be tried. */

const DAY_SECONDS = 86_400;
const TEN_MINUTES = 600;

const plain = {
  profile: 'vehicle',
  authority: 'vehicle-ca',
  lifetimeSeconds: DAY_SECONDS,
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
};
const short = { ...plain, profile: 'vehicle-short', lifetimeSeconds: TEN_MINUTES, overlapSeconds: 60 };

/** As provisioning's `config.ts` demands them. */
export const EST_LABELS = {
  // A key that the server made gives way to one made in the device.
  default: { ...plain, renewsFrom: ['keygen'] },
  approve: { ...plain, bootstrap: 'approve' },
  open: { ...plain, bootstrap: 'open' },
  // From the default only to where it is stricter.
  guarded: { ...plain, cloneDetection: 'quarantine', renewsFrom: ['default'] },
  short: { ...short, renewsFrom: ['default'] },
  keygen: { ...plain, serverKeyGeneration: true },
  bound: { ...plain, channelBinding: 'required', renewsFrom: ['default'] },
  grace: { ...short, expiredGraceSeconds: DAY_SECONDS },
};
