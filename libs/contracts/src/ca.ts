/** fleet-ca: what it signs, for whom, and what it says of it. */
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { event, request } from './contract.js';
import { CertificateRef, DerBase64, Instant, RevocationReason, ServiceRequestJws } from './values.js';

export const CertificateProfileName = z.enum(['vehicle', 'command-signer']);
export type CertificateProfileName = z.infer<typeof CertificateProfileName>;

/** What the JWS in `certificateSign` carries. `requestId` makes a retry return the same certificate. */
export const CertificateSignRequest = z.strictObject({
  aud: z.literal('ca.certificate.sign.v1'),
  /** Seconds since the epoch. */
  iat: z.int(),
  requestId: z.uuid(),
  profile: CertificateProfileName,
  csr: DerBase64,
  deviceId: DeviceId.optional(),
  /** Seconds; clamped to the profile's bounds. */
  lifetimeSeconds: z.int().positive().optional(),
});
export type CertificateSignRequest = z.infer<typeof CertificateSignRequest>;

export const certificateSign = request({
  subject: 'ca.certificate.sign.v1',
  from: ['provisioning', 'command'],
  to: 'fleet-ca',
  payload: z.strictObject({ request: ServiceRequestJws }),
  reply: z.strictObject({
    certificate: DerBase64,
    /** Issuing CA first, without the root. */
    chain: z.array(DerBase64),
    ref: CertificateRef,
  }),
});

export const certificateGet = request({
  subject: 'ca.certificate.get.v1',
  from: ['revocation'],
  to: 'fleet-ca',
  payload: z.union([z.strictObject({ serialNumber: SerialNumber }), z.strictObject({ thumbprint: Thumbprint })]),
  reply: z.strictObject({ certificate: DerBase64, profile: z.string(), ref: CertificateRef }),
});

/** What the JWS in `crlSign` carries. */
export const CrlSignRequest = z.strictObject({
  aud: z.literal('ca.crl.sign.v1'),
  iat: z.int(),
  issuer: z.enum(['vehicle-ca']),
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
