/** What a batch would come to: how many vehicles could have the command now, and why the others could not. */
import type { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { needsApproval } from './batch.js';

/** Named beside each reason. */
const EXAMPLES = 5;

export interface Judged {
  readonly deviceId: DeviceId;
  /** Absent: it could have it. */
  readonly error?: DomainError;
}

export interface PreviewLimits {
  readonly matched: number;
  /** Vehicles that the sender has had batches for alone, within the window. */
  readonly sentAlone: number;
  readonly approvalAbove: number;
  readonly maxDevices: number;
}

/** The document of the operator API. `judged`: the first of the matched ones. */
export function previewOf(judged: readonly Judged[], { matched, sentAlone, approvalAbove, maxDevices }: PreviewLimits) {
  const refused = new Map<string, { code: string; detail?: string; count: number; devices: DeviceId[] }>();
  for (const { deviceId, error } of judged) {
    if (!error) continue;
    const reason = `${error.code}\0${error.detail ?? ''}`;
    const known = refused.get(reason) ?? {
      code: error.code,
      ...(error.detail ? { detail: error.detail } : {}),
      count: 0,
      devices: [],
    };
    known.count += 1;
    if (known.devices.length < EXAMPLES) known.devices.push(deviceId);
    refused.set(reason, known);
  }
  return {
    matched,
    max_devices: maxDevices,
    sent_alone: sentAlone,
    needs_approval: needsApproval(matched, sentAlone, approvalAbove),
    judged: judged.length,
    could_have_it: judged.filter(({ error }) => !error).length,
    refused: [...refused.values()].toSorted((a, b) => b.count - a.count),
    devices: judged.slice(0, EXAMPLES).map(({ deviceId }) => deviceId),
  };
}
