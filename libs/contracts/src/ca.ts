/** fleet-ca: what it signs, for whom, and what it says of it. */
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { CertificateRef, DerBase64, Instant, IssuerKeyId, ServiceRequestJws } from './values.js';

/** `vehicle`, or any other profile that this fleet-ca was given: fleet-ca alone knows which there are. */
export const CertificateProfileName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
export type CertificateProfileName = z.infer<typeof CertificateProfileName>;

/** `vehicle-ca`, or a further authority that the ceremony made. */
export const AuthorityRefName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);

/** How many certificates one request asks for at most. */
export const SIGN_ITEMS_MAX = 64;

/** One certificate asked for. `requestId` makes a retry return the same certificate. */
export const CertificateSignItem = z.strictObject({
  requestId: z.uuid(),
  profile: CertificateProfileName,
  authority: AuthorityRefName,
  csr: DerBase64,
  deviceId: DeviceId.optional(),
  /** For an OCSP signer: the generation in whose name it is to answer, active or not. Anything else is signed by the active one. */
  issuerKeyId: IssuerKeyId.optional(),
  /** Seconds; clamped to the profile's bounds. */
  lifetimeSeconds: z.int().positive().optional(),
});
export type CertificateSignItem = z.infer<typeof CertificateSignItem>;

/** What the JWS in `certificatesSign` carries: one signature over all of them; each request id stands once. */
export const CertificatesSignRequest = z.strictObject({
  aud: z.literal('ca.certificate.sign.v2'),
  /** Seconds since the epoch. */
  iat: z.int(),
  items: z.array(CertificateSignItem).min(1).max(SIGN_ITEMS_MAX),
});
export type CertificatesSignRequest = z.infer<typeof CertificatesSignRequest>;

export const SignedCertificate = z.strictObject({
  requestId: z.uuid(),
  certificate: DerBase64,
  /** Issuing CA first, without the root. */
  chain: z.array(DerBase64),
  ref: CertificateRef,
});

/** One that was not signed: a code of `libs/errors`. Its neighbours are none the worse. */
export const UnsignedCertificate = z.strictObject({
  requestId: z.uuid(),
  code: z.string().max(64),
  detail: z.string().max(1000).optional(),
  retryAfterSeconds: z.number().nonnegative().optional(),
});

/** Signed, logged and committed before the answer; `items` in the order of the request. */
export const certificatesSign = request({
  subject: 'ca.certificate.sign.v2',
  from: ['provisioning', 'command', 'revocation'],
  to: 'fleet-ca',
  payload: z.strictObject({ request: ServiceRequestJws }),
  reply: z.strictObject({ items: z.array(z.union([SignedCertificate, UnsignedCertificate])).max(SIGN_ITEMS_MAX) }),
});

export const certificateGet = request({
  subject: 'ca.certificate.get.v1',
  from: ['revocation'],
  to: 'fleet-ca',
  payload: z.union([z.strictObject({ serialNumber: SerialNumber }), z.strictObject({ thumbprint: Thumbprint })]),
  reply: z.strictObject({ certificate: DerBase64, profile: z.string(), ref: CertificateRef }),
});

/** The generations of vehicle issuing CAs that there are lists of: published, active and outgoing ones. */
export const authorityList = request({
  subject: 'ca.authority.list.v1',
  from: ['revocation'],
  to: 'fleet-ca',
  payload: z.strictObject({}),
  reply: z.strictObject({
    issuers: z
      .array(
        z.strictObject({
          authority: AuthorityRefName,
          generation: z.int().positive(),
          issuerKeyId: IssuerKeyId,
          /** What stands before the shard in the name of a list: `/crl/<prefix><shard>.crl`. */
          crlPrefix: z.string().regex(/^([0-9a-f]{16}-)?$/),
        }),
      )
      .max(100),
  }),
});

/** How much of a CRL's entries travels at once: with the request for its signature, or as one part of a draft. */
export const CRL_PART_BYTES_MAX = 262_144;
/** Some five million entries: beyond that a fleet needs more shards. */
export const CRL_ENTRIES_BYTES_MAX = 268_435_456;
const CrlPart = z.base64().max(4 * Math.ceil(CRL_PART_BYTES_MAX / 3));

/** What the JWS in `crlSign` carries: everything that the list says, its entries by their hash. */
export const CrlSignRequest = z.strictObject({
  aud: z.literal('ca.crl.sign.v2'),
  iat: z.int(),
  /** The generation whose certificates the list is about, and by whose key it is signed. */
  issuerKeyId: IssuerKeyId,
  /** The URI in the issuing distribution point (RFC 5280 §5.2.5). */
  distributionPoint: z.url(),
  number: z.int().positive(),
  /** Of a delta: the number of the full list that it goes on from (§5.2.4). */
  baseNumber: z.int().positive().optional(),
  /** Whether a full list says where its deltas are (§5.2.6): beside it. */
  hasDeltas: z.boolean(),
  thisUpdate: Instant,
  nextUpdate: Instant,
  /** Under which revocation gives the entries out, part by part. */
  draft: z.uuid(),
  /** The entries, DER, one behind the other, in ascending order of their serial numbers' bytes. */
  entries: z.strictObject({
    count: z.int().nonnegative(),
    bytes: z.int().nonnegative().max(CRL_ENTRIES_BYTES_MAX),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});
export type CrlSignRequest = z.infer<typeof CrlSignRequest>;

/** Short entries come with the request; long ones fleet-ca asks for while it signs. The list is `head`, the entries, `tail`. */
export const crlSign = request({
  subject: 'ca.crl.sign.v2',
  from: ['revocation'],
  to: 'fleet-ca',
  payload: z.strictObject({ request: ServiceRequestJws, entries: CrlPart.optional() }),
  reply: z.strictObject({ head: z.base64().max(65_536), tail: z.base64().max(65_536) }),
});

/** Whole entries of a CRL that is being made, from the first part (0) on. */
export const crlDraftRead = request({
  subject: 'revocation.crl_draft.read.v1',
  from: ['fleet-ca'],
  to: 'revocation',
  payload: z.strictObject({ draft: z.uuid(), part: z.int().nonnegative() }),
  reply: z.strictObject({ entries: CrlPart }),
});

export const certificateIssued = event({
  subject: 'ca.certificate.issued.v1',
  from: 'fleet-ca',
  to: ['revocation'],
  payload: z.strictObject({
    profile: CertificateProfileName,
    requestedBy: z.string(),
    ref: CertificateRef,
    issuedAt: Instant,
    /** Of a service's certificate that was renewed: the one before. */
    renewedFrom: Thumbprint.optional(),
  }),
});
