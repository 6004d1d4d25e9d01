/** What a certificate profile may say, as a strict schema: a file that says less, more, or what no profile of a fleet may is refused whole. */
import { DomainError } from '@outrider/errors';
import { Service } from '@outrider/ids';
import { z } from 'zod';
import { KEY_USAGES } from './extensions.js';
import { OID } from './oids.js';

export const ProfileIdentifier = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a profile is named in a-z, 0-9 and -');

const EXTENDED_KEY_USAGES = ['serverAuth', 'clientAuth', 'ocspSigning', 'outriderCommandSigning'] as const;
const YEAR_SECONDS = 365 * 86_400;
const Seconds = z
  .int()
  .min(60)
  .max(30 * YEAR_SECONDS);

const distinct = (values: readonly unknown[]) => new Set(values).size === values.length;

const ProfileFile = z
  .strictObject({
    name: ProfileIdentifier,
    /** One sentence for whoever reads the file. */
    description: z.string().min(1).max(300),
    /** Null for a leaf. */
    ca: z.strictObject({ pathLength: z.int().min(0).max(3) }).nullable(),
    /** `cross`: issuer and subject have the same name and different keys (RFC 4210 §4.4). */
    selfSigned: z.union([z.boolean(), z.literal('cross')]),
    /** The profiles of the authorities that may sign it; none for what signs itself. */
    signedBy: z.array(ProfileIdentifier).refine(distinct, 'each once'),
    /** The services that may ask fleet-ca for it; none for what a ceremony alone makes. */
    requestedBy: z.array(Service).refine(distinct, 'each once'),
    keyAlgorithms: z
      .array(z.enum(['P-256', 'P-384', 'Ed25519']))
      .min(1)
      .refine(distinct, 'each once'),
    keyUsage: z.array(z.enum(KEY_USAGES)).min(1).refine(distinct, 'each once'),
    extendedKeyUsages: z.array(z.enum(EXTENDED_KEY_USAGES)).refine(distinct, 'each once'),
    /**
     * The SPIFFE id that the certificate must hold, and no other URI: `vehicle` = `/vehicle/<CN>`, `service` = `/service/<CN>`,
     * `command` = `/service/command` whatever the CN.
     */
    sanUri: z.enum(['vehicle', 'service', 'command']).nullable(),
    /** Whether DNS names and IP addresses stand in the SAN. */
    hosts: z.boolean(),
    /** Whether the subject holds the X.520 serialNumber attribute. */
    subjectSerialNumber: z.boolean(),
    /** CRL distribution point and OCSP URL; `required`: not signed without. */
    revocationPointers: z.enum(['required', 'optional', 'none']),
    lifetimeSeconds: z.strictObject({ min: Seconds, default: Seconds, max: Seconds }),
    /** The skew that notBefore is back-dated by, on top of the lifetime. */
    backdateSeconds: z.int().min(0).max(3600),
  })
  .superRefine((profile, context) => {
    const complain = (broken: boolean, message: string) => broken && context.addIssue({ code: 'custom', message });
    const { ca, keyUsage, lifetimeSeconds, requestedBy, sanUri, extendedKeyUsages } = profile;
    const { min, max } = lifetimeSeconds;
    const isCa = ca !== null;
    complain(min > lifetimeSeconds.default || lifetimeSeconds.default > max, 'lifetimes: min <= default <= max');
    complain(isCa !== keyUsage.includes('keyCertSign'), 'an authority signs certificates, and nobody else does');
    complain(!isCa && keyUsage.includes('cRLSign'), 'a leaf signs no CRLs');
    complain(!isCa && extendedKeyUsages.length === 0, 'a leaf without extended key usage would be good for anything');
    complain(!isCa && profile.selfSigned !== false, 'a leaf does not sign itself');
    complain(
      (profile.selfSigned === true) !== (profile.signedBy.length === 0),
      'signed by itself, or by a named authority',
    );
    complain(isCa && requestedBy.length > 0, 'no service asks for an authority');
    complain(
      !isCa && extendedKeyUsages.includes('ocspSigning') && extendedKeyUsages.length > 1,
      'who signs OCSP answers does nothing else',
    );
    complain(requestedBy.length > 1, 'one service asks for a profile');
    // Who asks fixes what it can get: a further profile of provisioning is a vehicle's, whatever its file says.
    const usage = REQUESTABLE[requestedBy[0] ?? ''];
    complain(
      requestedBy.length > 0 &&
        (usage === undefined || usage.sanUri !== sanUri || extendedKeyUsages.join() !== usage.eku),
      'the requesting service may not have certificates of this name and usage',
    );
    complain(requestedBy.length > 0 && (profile.hosts || profile.subjectSerialNumber), 'no host names on request');
    complain(requestedBy.length > 0 && keyUsage.join() !== 'digitalSignature', 'on request, keys sign and do no more');
  });

const REQUESTABLE: Readonly<Record<string, { sanUri: 'vehicle' | 'command' | null; eku: string }>> = {
  provisioning: { sanUri: 'vehicle', eku: 'clientAuth' },
  command: { sanUri: 'command', eku: 'outriderCommandSigning' },
  revocation: { sanUri: null, eku: 'ocspSigning' },
};

const Profile = ProfileFile.transform(({ extendedKeyUsages, ...rest }) => ({
  ...rest,
  /** Object identifiers. */
  extendedKeyUsages: extendedKeyUsages.map((name): string => OID[name]),
}));
/** A profile as it is worked with. */
export type CertificateProfile = Readonly<z.infer<typeof Profile>>;

/** Whether its leaves answer OCSP in their issuer's name (RFC 6960 §4.2.2.2). */
export function isOcspSigner({ ca, extendedKeyUsages }: CertificateProfile): boolean {
  return ca === null && extendedKeyUsages.includes(OID.ocspSigning);
}

/**
 * @param file parsed JSON.
 * @throws DomainError `ca.profile_invalid` saying what is wrong with it.
 */
export function parseProfile(file: unknown): CertificateProfile {
  const parsed = Profile.safeParse(file);
  if (parsed.success) return parsed.data;
  throw new DomainError('ca.profile_invalid', { cause: parsed.error, detail: z.prettifyError(parsed.error) });
}
