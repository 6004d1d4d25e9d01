/** The approvals of a group of requests: each is decided by what the one before it filed. */
import type { DeviceId } from '@outrider/ids';
import {
  type Approval,
  type ApprovalLimits,
  type ApprovalRequest,
  type ApprovalVerdict,
  consultApprovals,
} from './approval.js';

export class ApprovalBook {
  /** To be kept. */
  readonly filed: Approval[] = [];
  readonly used: string[] = [];

  /** @param pending how many of each manufacturer wait. */
  constructor(
    private readonly ofDevice: ReadonlyMap<DeviceId, readonly Approval[]>,
    private readonly pending: ReadonlyMap<string, number>,
    private readonly limits: ApprovalLimits,
  ) {}

  consult(
    request: ApprovalRequest,
    { deviceId, manufacturer }: { readonly deviceId: DeviceId; readonly manufacturer: string },
    now: Date,
  ): ApprovalVerdict {
    const ofDevice = [...(this.ofDevice.get(deviceId) ?? []), ...this.filed.filter((one) => one.deviceId === deviceId)]
      // One approval is for one certificate.
      .filter((one) => !this.used.includes(one.id));
    const filed = this.filed.filter((one) => one.manufacturer === manufacturer).length;
    return consultApprovals(request, ofDevice, (this.pending.get(manufacturer) ?? 0) + filed, this.limits, now);
  }

  /** A new one, waiting. */
  file(
    approval: Omit<
      Approval,
      'decision' | 'requestedAt' | 'expiresAt' | 'decidedAt' | 'decidedBy' | 'reason' | 'usedAt'
    >,
    now: Date,
  ): void {
    const expiresAt = new Date(now.getTime() + this.limits.pendingSeconds * 1000);
    const undecided = { decision: 'pending', decidedAt: null, decidedBy: null, reason: null, usedAt: null } as const;
    this.filed.push({ ...approval, ...undecided, requestedAt: now, expiresAt });
  }

  use(id: string): void {
    this.used.push(id);
  }
}
