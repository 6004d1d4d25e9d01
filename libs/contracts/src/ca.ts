/** fleet-ca: what it signs, for whom, and what it says of it. */
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { CertificateRef, DerBase64, Instant, IssuerKeyId, RevocationReason, ServiceRequestJws } from './values.js';

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

/** What the JWS in `crlSign` carries. */
export const CrlSignRequest = z.strictObject({
  aud: z.literal('ca.crl.sign.v1'),
  iat: z.int(),
  /** The generation whose certificates the list is about, and by whose key it is signed. */
  issuerKeyId: IssuerKeyId,
  /** The URI in the issuing distribution point (RFC 5280 §5.2.5). */
  distributionPoint: z.url(),
  number: z.int().positive(),
  thisUpdate: Instant,
  nextUpdate: Instant,
  entries: z.array(z.strictObject({ serialNumber: SerialNumber, revokedAt: Instant, reason: RevocationReason })),
});
export type CrlSignRequest = z.infer<typeof CrlSignRequest>;

export const crlSign = request({
  subject: 'ca.crl.sign.v1',
  from: ['revocation'],
  to: 'fleet-ca',
  payload: z.strictObject({ request: ServiceRequestJws }),
  reply: z.strictObject({ crl: z.base64() }),
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
  }),
});
