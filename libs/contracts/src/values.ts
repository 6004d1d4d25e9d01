/** Values that several contracts carry. */
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

/** DER in standard base64 with padding, at most 64 KiB of DER. */
export const DerBase64 = z.base64().max(87_384);
/** SHA-256 over a SubjectPublicKeyInfo, base64url: names a key whatever certificate it is in. */
export const KeyThumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** An instant, RFC 3339 in UTC. */
export const Instant = z.iso.datetime();
/** RFC 5280 §5.3.1 reasons, in their ASN.1 spelling. */
export const RevocationReason = z.enum([
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
]);
export type RevocationReason = z.infer<typeof RevocationReason>;

/** A compact JWS, `typ: outrider-request+jws`, by the requesting service's key: fleet-ca believes nothing else. */
export const ServiceRequestJws = z.string().max(1_048_576);

/** Hex of the issuing CA's subject key identifier. */
export const IssuerKeyId = z.string().regex(/^[0-9a-f]{40}$/);

/** What identifies one issued certificate everywhere. */
export const CertificateRef = z.strictObject({
  deviceId: DeviceId.optional(),
  issuerKeyId: IssuerKeyId,
  serialNumber: SerialNumber,
  thumbprint: Thumbprint,
  keyThumbprint: KeyThumbprint,
  notBefore: Instant,
  notAfter: Instant,
});
export type CertificateRef = z.infer<typeof CertificateRef>;

export const DeviceState = z.enum(['registered', 'active', 'quarantined', 'awaiting_recovery', 'retired']);
export type DeviceState = z.infer<typeof DeviceState>;

export const Grant = z.enum(['command:receive', 'command:critical']);
export type Grant = z.infer<typeof Grant>;
