/** EST labels (RFC 7030 §3.2.2): under which policy a vehicle enrols, by the path it asks at. */
import { z } from 'zod';
import { ManufacturerName } from '../manufacturer/manufacturer.js';

/** What follows `/.well-known/est/` without a label; none of them can be a label. */
export const EST_OPERATIONS = [
  'cacerts',
  'csrattrs',
  'fullcmc',
  'renewal-info',
  'serverkeygen',
  'simpleenroll',
  'simplereenroll',
] as const;

/** e.g. `trucks`; `default` is what routes without a label use. */
export const LabelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
  .refine((name) => !(EST_OPERATIONS as readonly string[]).includes(name), 'the name of an EST operation')
  .brand('LabelName');
export type LabelName = z.infer<typeof LabelName>;

export const DEFAULT_LABEL = LabelName.parse('default');

const DAY_SECONDS = 86_400;
/** As fleet-ca names its profiles and authorities. */
const CaName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);

const LabelFields = z.strictObject({
  profile: CaName.describe("fleet-ca's profile, e.g. `vehicle`."),
  authority: CaName.describe("The issuing CA's name at fleet-ca, e.g. `vehicle-ca`."),
  lifetimeSeconds: z
    .int()
    .min(60)
    .max(30 * DAY_SECONDS)
    .describe('Asked of fleet-ca for each certificate; it clamps it to the profile.'),
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * DAY_SECONDS)
    .describe('How long the old certificate serves on after the first authenticated use of the new one.'),
  keyAlgorithms: z
    .array(z.enum(['P-256', 'P-384', 'Ed25519']))
    .min(1)
    .describe('Keys that it takes.'),
  bootstrap: z
    .enum(['preregistered', 'open', 'approve'])
    .describe('Who gets in: devices of the registry; any device of a manufacturer; or whom an operator approves.'),
  manufacturers: z.array(ManufacturerName).max(100).describe("Whose devices; empty: any registered manufacturer's."),
  deviceLabels: z
    .array(z.string().min(1).max(63))
    .max(100)
    .describe('The device carries one of these labels in the registry; empty: whatever it carries.'),
  renewsFrom: z
    .array(LabelName)
    .max(100)
    .describe(
      'Under which other labels a certificate may have been handed out that is renewed here; its own label always may.',
    ),
  channelBinding: z
    .enum(['required', 'optional'])
    .describe('challengePassword bound to the TLS connection (RFC 7030 §3.5, RFC 9266).'),
  serverKeyGeneration: z.boolean().describe('Whether we make a key for a vehicle that cannot (RFC 7030 §4.4).'),
  expiredGraceSeconds: z
    .int()
    .min(0)
    .max(90 * DAY_SECONDS)
    .describe('How long after its end a certificate still renews; 0: not at all.'),
  renewal: z
    .strictObject({
      windowStart: z.number().min(0).max(1).describe('From here on.'),
      windowEnd: z.number().min(0).max(1).describe('Until here, at the latest.'),
    })
    .refine(({ windowStart, windowEnd }) => windowStart < windowEnd, 'windowStart < windowEnd')
    .describe('When to renew, as fractions of the lifetime.'),
  cloneDetection: z.enum(['report', 'quarantine']).describe("What follows a clone's finding, beside the finding."),
});
/** A key made here is never the same request twice, so that nobody could approve it. */
export const LabelPolicy = LabelFields.refine(
  ({ bootstrap, serverKeyGeneration }) => !(bootstrap === 'approve' && serverKeyGeneration),
  { path: ['serverKeyGeneration'], message: 'not with bootstrap `approve`' },
);
export type LabelPolicy = z.infer<typeof LabelPolicy>;

/** The labels of a configuration, by name. */
export const Labels = z
  .record(LabelName, LabelPolicy)
  .refine((labels) => Object.hasOwn(labels, DEFAULT_LABEL), 'there must be a label `default`');
export type Labels = z.infer<typeof Labels>;

/** A label with its name: what the enrolment core is given. */
export interface Label {
  readonly name: LabelName;
  readonly policy: LabelPolicy;
}

/** @param name as it stands in the path, so anything at all; undefined: the default. @returns undefined for an unknown one. */
export function findLabel(labels: Labels, name: string | undefined): Label | undefined {
  const known = name ?? DEFAULT_LABEL;
  // `constructor` is a label name like any other, and not in the table unless the configuration says so.
  const policy = Object.hasOwn(labels, known) ? labels[known as LabelName] : undefined;
  return policy && { name: known as LabelName, policy };
}

/** @throws Error when the configuration lost its default: a bug, the schema demands it. */
export function defaultLabel(labels: Labels): Label {
  const label = findLabel(labels, undefined);
  if (!label) throw new Error('no default label');
  return label;
}

/** Whether the label takes a device of this manufacturer with these labels in the registry. */
export function admits(
  policy: Pick<LabelPolicy, 'manufacturers' | 'deviceLabels'>,
  manufacturer: string,
  deviceLabels: readonly string[],
): boolean {
  const ofManufacturer = policy.manufacturers.length === 0 || policy.manufacturers.some((one) => one === manufacturer);
  const labelled = policy.deviceLabels.length === 0 || deviceLabels.some((one) => policy.deviceLabels.includes(one));
  return ofManufacturer && labelled;
}

/** Whether a certificate that was handed out under `given` is renewed at the label: the vehicle names the label, and must not find an easier one for a certificate that it has. */
export function renewsFrom({ name, policy }: Label, given: string): boolean {
  return given === name || policy.renewsFrom.some((one) => one === given);
}
