/** What a vehicle is told of one of its windows. */
import type { StreamName } from '@outrider/ids';
import { missing, type ReplayWindow, type SequenceRange } from '@outrider/replay-window';
import { DEFAULT_STREAM } from '../ingest/telemetry-payload.js';
import type { DeviceState } from './decide-batch.js';

const MAX_RANGES = 32;

/** `missing`: gaps inside the window, both ends included, at most 32, lowest first. `minEpoch`: below it nothing is taken. */
export interface WindowView {
  readonly stream: string;
  readonly epoch: number;
  readonly highest: number;
  readonly missing: readonly SequenceRange[];
  readonly minEpoch: number;
}

/** The window of a stream in the device's present epoch; an empty one for a stream that has none. */
export function windowView(device: DeviceState, stream: StreamName): WindowView {
  const window: ReplayWindow | undefined = device.windows.get(stream);
  return {
    stream,
    epoch: Math.max(device.epoch, device.minEpoch),
    highest: window?.highest ?? 0,
    missing: window ? missing(window, MAX_RANGES) : [],
    minEpoch: device.minEpoch,
  };
}

/** One stream's window, or all of them; the default stream's where there is none yet, so that `minEpoch` is always told. */
export function windowViews(device: DeviceState, stream: StreamName | undefined): WindowView[] {
  if (stream !== undefined) return [windowView(device, stream)];
  const streams = device.windows.size > 0 ? [...device.windows.keys()].sort() : [DEFAULT_STREAM];
  return streams.map((name) => windowView(device, name));
}
