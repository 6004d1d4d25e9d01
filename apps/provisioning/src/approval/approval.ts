/** Enrolments held for an operator (EST label with `bootstrap: approve`): what a request finds, and what an operator may decide. */
import { DomainError } from '@outrider/errors';
import { DeviceId, type Thumbprint } from '@outrider/ids';
import { z } from 'zod';

/** As kept. A pending one past its time is expired, an approved one that led to a certificate is issued. */
export const APPROVAL_STATES = ['pending', 'approved', 'rejected', 'issued', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export interface Approval {
  readonly id: string;
  readonly manufacturer: string;
  readonly serialNumber: string;
  /** Registered already, or the id that it will get. */
  readonly deviceId: DeviceId;
  readonly label: string;
  /** Hex, of the DER of the PKCS#10 request: an approval is for this one. */
  readonly csrSha256: string;
  readonly keyThumbprint: string;
  /** The factory certificate that asked. */
  readonly presented: Thumbprint;
  readonly remoteAddress: string;
  readonly decision: 'pending' | 'approved' | 'rejected';
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly decidedAt: Date | null;
  readonly decidedBy: string | null;
  readonly reason: string | null;
  readonly usedAt: Date | null;
}

export interface ApprovalLimits {
  /** How long a request waits, an approval serves and a rejection holds. */
  readonly pendingSeconds: number;
  readonly retryAfterSeconds: number;
  readonly perDevice: number;
  readonly perManufacturer: number;
}

export function stateOf({ decision, usedAt, expiresAt }: Approval, now: Date): ApprovalState {
  if (usedAt !== null) return 'issued';
  return expiresAt <= now ? 'expired' : decision;
}

export type ApprovalVerdict =
  | { readonly kind: 'approved'; readonly id: string }
  /** `file`: the request is new and is to be kept. */
  | { readonly kind: 'wait'; readonly retryAfterSeconds: number; readonly file: boolean }
  | { readonly kind: 'refuse'; readonly code: 'est.approval_rejected' | 'est.approvals_full'; readonly detail: string };

export interface ApprovalRequest {
  readonly csrSha256: string;
  readonly label: string;
}

/**
 * @param ofDevice what was asked for this device, at any label.
 * @param pendingOfManufacturer how many of the manufacturer's wait now.
 */
export function consultApprovals(
  { csrSha256, label }: ApprovalRequest,
  ofDevice: readonly Approval[],
  pendingOfManufacturer: number,
  limits: ApprovalLimits,
  now: Date,
): ApprovalVerdict {
  const open = (one: Approval) => one.csrSha256 === csrSha256 && one.label === label;
  const mine = ofDevice.filter(open).find((one) => ['pending', 'approved', 'rejected'].includes(stateOf(one, now)));
  switch (mine?.decision) {
    case 'approved':
      return { kind: 'approved', id: mine.id };
    case 'pending':
      return { kind: 'wait', retryAfterSeconds: limits.retryAfterSeconds, file: false };
    case 'rejected':
      return { kind: 'refuse', code: 'est.approval_rejected', detail: mine.reason ?? 'no reason given' };
  }
  const waiting = ofDevice.filter((one) => stateOf(one, now) === 'pending').length;
  if (waiting >= limits.perDevice) {
    return { kind: 'refuse', code: 'est.approvals_full', detail: `${waiting} requests of this device wait` };
  }
  if (pendingOfManufacturer >= limits.perManufacturer) {
    return { kind: 'refuse', code: 'est.approvals_full', detail: `${pendingOfManufacturer} of the manufacturer wait` };
  }
  return { kind: 'wait', retryAfterSeconds: limits.retryAfterSeconds, file: true };
}

/** Who decides, and how. */
export interface ApprovalAct {
  readonly decision: 'approved' | 'rejected';
  readonly by: string;
  readonly reason: string | null;
}

/**
 * The same decision again changes nothing.
 * @throws DomainError `provisioning.enrolment_conflict` for one decided otherwise, used, or over
 */
export function decideApproval(approval: Approval, act: ApprovalAct, limits: ApprovalLimits, now: Date): Approval {
  const state = stateOf(approval, now);
  if (state === act.decision || (state === 'issued' && act.decision === 'approved')) return approval;
  if (state !== 'pending') throw new DomainError('provisioning.enrolment_conflict', { detail: `it is ${state}` });
  const expiresAt = new Date(now.getTime() + limits.pendingSeconds * 1000);
  return { ...approval, decision: act.decision, decidedAt: now, decidedBy: act.by, reason: act.reason, expiresAt };
}

function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

const Reason = z.string().trim().min(1).max(500);
export const ApproveBody = z.strictObject({ reason: orAbsent(Reason) });
export const RejectBody = z.strictObject({ reason: Reason });

export const ApprovalQuery = z.strictObject({
  state: orAbsent(z.enum(APPROVAL_STATES)),
  device: orAbsent(DeviceId),
  after: orAbsent(z.string().regex(/^[1-9][0-9]{0,17}$/)),
  limit: orAbsent(z.coerce.number().int().min(1).max(1000)),
});
export type ApprovalQuery = z.output<typeof ApprovalQuery>;

/** As the operator API shows it. */
export function approvalDocument(approval: Approval, now: Date) {
  return {
    id: approval.id,
    state: stateOf(approval, now),
    device_id: approval.deviceId,
    manufacturer: approval.manufacturer,
    serial_number: approval.serialNumber,
    label: approval.label,
    csr_sha256: approval.csrSha256,
    key_thumbprint: approval.keyThumbprint,
    factory_thumbprint: approval.presented,
    remote_address: approval.remoteAddress,
    requested_at: approval.requestedAt.toISOString(),
    expires_at: approval.expiresAt.toISOString(),
    ...(approval.decidedAt && { decided_at: approval.decidedAt.toISOString(), decided_by: approval.decidedBy }),
    ...(approval.reason && { reason: approval.reason }),
    ...(approval.usedAt && { issued_at: approval.usedAt.toISOString() }),
  };
}
