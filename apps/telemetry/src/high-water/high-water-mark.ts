/** Reads what the stream of events remembers of a device, from the last event that was sent of it. */
import { messageAccepted } from '@outrider/contracts';
import type { DeviceId, Epoch, SequenceNumber, StreamName } from '@outrider/ids';

/** A record that was certainly committed: its event goes out only after the commit. */
export interface HighWaterMark {
  readonly deviceId: DeviceId;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
}

const Mark = messageAccepted.payload.pick({ deviceId: true, stream: true, epoch: true, seq: true }).loose();

/** Undefined for what is no event of ours, or is one of another device than its subject says. */
export function readMark(subject: string, text: string): HighWaterMark | undefined {
  const parsed = Mark.safeParse(parse(text));
  if (!parsed.success || subject !== `${messageAccepted.subject}.${parsed.data.deviceId}`) return undefined;
  const { deviceId, stream, epoch, seq } = parsed.data;
  return { deviceId, stream, epoch, seq };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
