/** What is decided on a request for a certificate, and what a decision is given. */
import type { ErrorCode } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { ApprovalVerdict } from '../approval/approval.js';
import type { HeldCertificate } from '../certificate/certificate.js';
import type { Device } from '../device/device.js';
import type { Finding } from '../finding/finding.js';
import { admits, type Label, type LabelPolicy } from '../label/label.js';

export type Verdict =
  /** `approval`: the operator's, which is used up by the certificate. */
  | { readonly kind: 'sign'; readonly approval?: string }
  /** The certificate that was handed out for the same before. */
  | { readonly kind: 'again'; readonly thumbprint: Thumbprint }
  /** An operator's approval is awaited. `file`: nobody was asked for it yet. */
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number; readonly file: boolean }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly detail: string; readonly retryAfterSeconds?: number };

/** Findings stand whatever the verdict is: they are kept though the request is refused. */
export type Decision = Verdict & { readonly findings: readonly Finding[] };

/** What is known of the key that is to be certified. */
export interface KeyUse {
  /** Other devices for whom it was ever certified; a few of them where there are many. */
  readonly holders: readonly DeviceId[];
  /** It stood in a certificate that was revoked, or ended by a sale or an order, whoever's. */
  readonly revoked: boolean;
}

export interface Circumstances {
  readonly device: Pick<Device, 'deviceId' | 'state' | 'manufacturer' | 'labels'>;
  /** The device's certificates that have not lapsed, the presented one, and the newest whatever it is. */
  readonly held: readonly HeldCertificate[];
  readonly request: {
    readonly keyThumbprint: string;
    readonly keyAlgorithm: string;
    readonly csrSha256: string;
    readonly key: KeyUse;
  };
  readonly label: Label;
  /** The certificate of the connection. */
  readonly client: { readonly thumbprint: Thumbprint; readonly remoteAddress: string };
  /** What operators said of it; undefined where the label asks none. */
  readonly approval: ApprovalVerdict | undefined;
  readonly now: Date;
}

export const SIGN: Decision = { kind: 'sign', findings: [] };

/** Nothing is against it but, at some labels, that an operator must say so. */
export function signIfApproved({ approval }: Pick<Circumstances, 'approval'>): Decision {
  switch (approval?.kind) {
    case undefined:
      return SIGN;
    case 'approved':
      return { kind: 'sign', approval: approval.id, findings: [] };
    case 'wait':
      return { kind: 'pending', retryAfterSeconds: approval.retryAfterSeconds, file: approval.file, findings: [] };
    case 'refuse':
      return refuse(approval.code, approval.detail);
  }
}

export function again(thumbprint: Thumbprint): Decision {
  return { kind: 'again', thumbprint, findings: [] };
}

export function refuse(code: ErrorCode, detail: string): Decision {
  return { kind: 'refuse', code, detail, findings: [] };
}

/**
 * Each certificate that gives way stays on the denylist of every service until it would have lapsed: whoever has one device's key must
 * not fill that by asking. Far more than a vehicle needs that lives in certificates of ten minutes and loses every second answer.
 */
export const CERTIFICATES_AN_HOUR = 60;
const HOUR_MS = 3_600_000;

/** Whether the device has had all that it gets in an hour; undefined: it has not. Lapsed ones, denied nowhere any more, do not count. */
export function refusedByRate({
  held,
  device,
  now,
}: Pick<Circumstances, 'held' | 'device' | 'now'>): Decision | undefined {
  const recent = held.map(({ createdAt }) => createdAt.getTime()).filter((at) => now.getTime() - at < HOUR_MS);
  if (recent.length < CERTIFICATES_AN_HOUR) return undefined;
  const oldest = recent.toSorted((a, b) => b - a)[CERTIFICATES_AN_HOUR - 1] ?? now.getTime();
  const retryAfterSeconds = Math.max(1, Math.ceil((oldest + HOUR_MS - now.getTime()) / 1000));
  const detail = `${device.deviceId} was given ${recent.length} certificates within the hour`;
  return { kind: 'refuse', code: 'request.too_many', detail, retryAfterSeconds, findings: [] };
}

/** What the label asks of whoever comes; undefined: nothing against it. */
export function refusedByLabel({ device, request, label }: Circumstances): Decision | undefined {
  if (!admits(label.policy, device.manufacturer, device.labels)) {
    return refuse('est.label_refused', `${label.name} does not take ${device.deviceId}`);
  }
  const { keyAlgorithms } = label.policy;
  if ((keyAlgorithms as readonly string[]).includes(request.keyAlgorithm)) return undefined;
  return refuse('est.csr_key_refused', `${label.name} takes ${keyAlgorithms.join(', ')}`);
}

/** Whether a lapsed certificate still renews at this label. */
export function isInGrace(
  { notAfter }: Pick<HeldCertificate, 'notAfter'>,
  policy: Pick<LabelPolicy, 'expiredGraceSeconds'>,
  now: Date,
): boolean {
  return now.getTime() < notAfter.getTime() + policy.expiredGraceSeconds * 1000;
}

/** A key that another device holds, or that was revoked, is certified for nobody. */
export function isSpent({ holders, revoked }: KeyUse): boolean {
  return holders.length > 0 || revoked;
}

/** Whether the certificate was handed out for this very request, or for this key at this label. */
export function isForSame(held: HeldCertificate, { request, label }: Circumstances): boolean {
  return held.label === label.name && held.keyThumbprint === request.keyThumbprint;
}
