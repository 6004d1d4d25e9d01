/** The body of `POST /revoke` and of a release: what names the target, and why. */
import { IssuerKeyId, KeyThumbprint } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';

/** Empty strings count as absent: that is what an unset variable in a shell becomes. */
export function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());
}

/** What one may be named by. */
const NAMES = {
  serial: orAbsent(SerialNumber),
  thumbprint: orAbsent(Thumbprint),
  device_id: orAbsent(DeviceId),
  /** SHA-256 of the SubjectPublicKeyInfo, base64url. */
  key: orAbsent(KeyThumbprint),
};

export const NameBody = z.strictObject(NAMES);
export type NameBody = z.output<typeof NameBody>;

const PastedIssuer = z
  .string()
  .max(80)
  .transform((text) => text.trim().toLowerCase().replaceAll(':', ''))
  .pipe(IssuerKeyId);

/** What many are named by. */
const WIDE = {
  /** Hex of the issuing CA's subject key identifier, also with colons and in upper case, as openssl prints it. */
  issuer: orAbsent(PastedIssuer),
  /** The EST label that certificates were enrolled at. */
  label: orAbsent(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)),
  manufacturer: orAbsent(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)),
  /** With `manufacturer`: what the factory serial numbers of the batch begin with. */
  batch: orAbsent(z.string().min(1).max(64)),
};

export const RevokeBody = z.strictObject({
  ...NAMES,
  ...WIDE,
  reason: orAbsent(z.string().max(64)),
  /** Deny what is named though nobody knows it. */
  force: orAbsent(z.boolean()),
  /** When; in the past or absent: now. */
  at: orAbsent(z.iso.datetime({ offset: true })),
  /** Say what it would touch, and touch nothing. */
  dry_run: orAbsent(z.boolean()),
  note: orAbsent(z.string().max(500)),
});
export type RevokeBody = z.output<typeof RevokeBody>;

export const ReleaseBody = z.strictObject({
  ...NAMES,
  dry_run: orAbsent(z.boolean()),
  note: orAbsent(z.string().max(500)),
});
export type ReleaseBody = z.output<typeof ReleaseBody>;

export const RevokeQuery = z.object({
  /** `enforced`: answer when every live instance enforces it. */
  wait: z.enum(['enforced']).optional(),
});

/** What an operator named; at least one of the four. All that are given must agree. */
export interface RevokeTarget {
  readonly serialNumber?: SerialNumber | undefined;
  readonly thumbprint?: Thumbprint | undefined;
  readonly deviceId?: DeviceId | undefined;
  readonly keyThumbprint?: string | undefined;
}

/** Every certificate of an issuing CA, or that was enrolled at a label; every device of a manufacturer, or of one of its batches. */
export type WideTarget =
  | { readonly issuer: string }
  | { readonly label: string }
  | { readonly manufacturer: string; readonly batch?: string };

/** @throws DomainError `revocation.target_missing`; `revocation.target_conflict` for a key and a device without a certificate */
export function targetOf(body: NameBody): RevokeTarget {
  const target = {
    serialNumber: body.serial,
    thumbprint: body.thumbprint,
    deviceId: body.device_id,
    keyThumbprint: body.key,
  };
  if (Object.values(target).every((name) => name === undefined)) throw new DomainError('revocation.target_missing');
  if (target.keyThumbprint && target.deviceId && !target.serialNumber && !target.thumbprint)
    throw new DomainError('revocation.target_conflict', { detail: 'name the key or the device' });
  return target;
}

/** Undefined where the body names one thing. @throws DomainError `revocation.target_conflict` for more than one wide name, or one beside a name */
export function wideTargetOf(body: RevokeBody): WideTarget | undefined {
  const { issuer, label, manufacturer, batch } = body;
  const given = [issuer, label, manufacturer].filter((name) => name !== undefined).length;
  if (given === 0 && batch === undefined) return undefined;
  const named = [body.serial, body.thumbprint, body.device_id, body.key].some((name) => name !== undefined);
  if (given !== 1 || named || (batch !== undefined && manufacturer === undefined))
    throw new DomainError('revocation.target_conflict', {
      detail: 'an issuer, a label or a manufacturer stands alone; a batch is one of a manufacturer',
    });
  if (issuer !== undefined) return { issuer };
  if (label !== undefined) return { label };
  return { manufacturer: manufacturer as string, ...(batch === undefined ? {} : { batch }) };
}

/** As it is answered and kept. */
export function namesOf({ serialNumber: serial, thumbprint, deviceId, keyThumbprint: key }: RevokeTarget) {
  return {
    ...(serial ? { serial } : {}),
    ...(thumbprint ? { thumbprint } : {}),
    ...(deviceId ? { device_id: deviceId } : {}),
    ...(key ? { key } : {}),
  };
}
