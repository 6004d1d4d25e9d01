/** Decides what one live contact shows of that which the live path did not bring. */
import type { Epoch, StreamName } from '@outrider/ids';
import type { SequenceRange } from '@outrider/replay-window';
import type { Checked, VerifiedRecord } from '../ingest/verified-record.js';
import type { Decision, DeviceState } from '../window/decide-batch.js';
import type { WindowView } from '../window/window-view.js';
import type { Late } from './when-to-order.js';

/** Numbers that the window passed over so far that it cannot take them any more. */
export interface Skipped {
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly range: SequenceRange;
}

/** `device`: as committed; undefined where nothing was decided. */
export interface Contact {
  readonly device: DeviceState | undefined;
  readonly windows: readonly WindowView[];
  readonly late: readonly Late[];
  readonly skipped: readonly Skipped[];
}

/** @param decisions of the verified among `checked`, in order */
export function contactOf(
  checked: readonly Checked[],
  decisions: readonly (Decision | { readonly verdict: 'failed' })[],
  device: DeviceState | undefined,
  windows: readonly WindowView[],
): Contact {
  const late: Late[] = [];
  const skipped: Skipped[] = [];
  let at = 0;
  for (const one of checked) {
    if ('refused' in one) {
      if (one.of) late.push(one.of);
      continue;
    }
    const decision = decisions[at++];
    if (decision?.verdict === 'too_old' || decision?.verdict === 'stale_epoch') late.push(placeOf(one));
    if (decision?.verdict === 'accepted' && decision.skipped)
      skipped.push({ ...placeOf(one), range: decision.skipped });
  }
  return { device, windows, late, skipped };
}

function placeOf({ stream, epoch, seq }: VerifiedRecord): Late {
  return { stream, epoch, seq };
}
