import { Injectable } from '@nestjs/common';
import { type KeyFound, type LogFault, LogFollower } from '@outrider/evidence';
import type { DeviceId } from '@outrider/ids';
import { deliveryEvidence, type KeptDelivery, type KeptSegment, segmentEvidence } from '../reading/kept-log.js';
import { LogEvidence } from '../reading/log-evidence.service.js';
import type { TimeRange } from '../reading/range.js';
import type { StoredMessage } from '../reading/stored-message.js';
import { Signers } from './signers.service.js';
import type { Fault, LogPlace, VerifyProgress } from './verify-progress.js';

/** The delivery whose segments are read now. */
interface Following {
  readonly delivery: KeptDelivery;
  readonly follower: LogFollower;
  segment: KeptSegment | undefined;
}

/** Verifies again what offline logs brought: the vehicle's word for each log, its chain of segments, and each record by its segment. */
@Injectable()
export class VerifyLogs {
  constructor(
    private readonly logs: LogEvidence,
    private readonly signers: Signers,
  ) {}

  /** Each item's fault, undefined where it stands. @param progress counts what is looked at */
  async *run(
    deviceId: DeviceId,
    range: TimeRange,
    progress: VerifyProgress,
  ): AsyncGenerator<Fault | undefined, void, undefined> {
    let following: Following | undefined;
    for await (const item of this.logs.items(deviceId, range)) {
      if ('delivery' in item) {
        if (following) yield end(following, progress);
        following = {
          delivery: item.delivery,
          follower: new LogFollower(deviceId, item.delivery.order_id),
          segment: undefined,
        };
        yield await this.deliver(deviceId, following, progress);
      } else if ('segment' in item) {
        following!.segment = item.segment;
        yield await this.segment(deviceId, following!, item.segment, progress);
      } else yield judge(item.record, following, progress);
    }
    if (following) yield end(following, progress);
  }

  private async deliver(deviceId: DeviceId, { delivery, follower }: Following, progress: VerifyProgress) {
    const { thumbprint, received_at } = delivery;
    const evidence = deliveryEvidence(delivery);
    const fault =
      evidence && thumbprint !== null
        ? follower.deliver(evidence, (await this.keys(deviceId, thumbprint))(received_at))
        : 'delivery_missing';
    progress.addPart('deliveries', thumbprint, fault);
    return faultOf(fault, delivery, thumbprint, null);
  }

  private async segment(
    deviceId: DeviceId,
    { delivery, follower }: Following,
    segment: KeptSegment,
    progress: VerifyProgress,
  ) {
    const { thumbprint } = segment;
    const fault = follower.segment(segmentEvidence(segment), await this.keys(deviceId, thumbprint));
    progress.addPart('segments', thumbprint, fault);
    return faultOf(fault, delivery, thumbprint, Number(segment.segment));
  }

  private async keys(deviceId: DeviceId, thumbprint: string): Promise<(at: Date) => KeyFound> {
    const kept = await this.signers.find(thumbprint);
    if (!kept) return () => 'certificate_missing';
    return (at) => this.signers.keyOf(kept, deviceId, at) ?? 'certificate_invalid';
  }
}

function judge(message: StoredMessage, following: Following | undefined, progress: VerifyProgress): Fault | undefined {
  const { stream, epoch, thumbprint, standing } = message;
  const [seq, segment] = [Number(message.seq), Number(message.segment)];
  const received_at = message.received_at.toISOString();
  const mine = following?.delivery.order_id === message.order_id && following.delivery.log === message.log;
  const { device_id: deviceId, ts, payload } = message;
  const canonicalSha256 = message.canonical_sha256.toString('hex');
  const of = following?.segment;
  const proven =
    following && mine
      ? following.follower.record({ deviceId, stream, epoch, seq, ts, payload, canonicalSha256, segment })
      : ({ ok: false, fault: 'segment_missing' } as const);
  // What a segment is held for is said twice; the signature is the segment's.
  const same = of?.standing === standing && of.thumbprint === thumbprint;
  const verdict = proven.ok && !same ? ({ ok: false, fault: 'row_mismatch' } as const) : proven;
  progress.add('log', thumbprint, received_at, verdict);
  if (verdict.ok && standing === 'unanchored') progress.addUnanchored();
  if (verdict.ok) return undefined;
  const log: LogPlace = { order: message.order_id!, log: message.log!, segment };
  return { stream, epoch, seq, received_at, thumbprint, log, fault: verdict.fault };
}

function end({ delivery, follower }: Following, progress: VerifyProgress): Fault | undefined {
  const fault = follower.end();
  if (fault) progress.addLogFault(fault);
  return faultOf(fault, delivery, delivery.thumbprint, null);
}

function faultOf(
  fault: LogFault | undefined,
  { order_id: order, log, received_at }: KeptDelivery,
  thumbprint: string | null,
  segment: number | null,
): Fault | undefined {
  if (!fault) return undefined;
  const place: LogPlace = { order, log, segment };
  return {
    ...{ stream: null, epoch: null, seq: null, received_at: received_at.toISOString() },
    ...{ thumbprint, log: place, fault },
  };
}
