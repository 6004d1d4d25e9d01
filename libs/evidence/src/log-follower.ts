/** Follows what offline logs brought: the vehicle's signed delivery, its segments in order, and each record by its place in a segment. */
import type { VerificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { canonicalDigest, RecordPayload } from './canonical-record.js';
import {
  digestsOf,
  type EvidenceDelivery,
  type EvidenceSegment,
  type LogDelivery,
  type ReadHead,
  readLogDelivery,
  readLogHead,
} from './log-segment.js';
import type { EvidenceRecord } from './record.js';
import { scan } from './scan.js';
import { agrees, type RecordVerdict } from './verify-record.js';

/**
 * Why a delivery or a segment does not stand. `row_mismatch`: it was said to be of another device, order, log or number;
 * `digest_mismatch`: its list of digests is not the one that was signed; `chain_broken`: it does not follow from the segment before it,
 * or the delivery ends elsewhere; `delivery_missing`: nobody has the vehicle's word for these segments.
 */
export type LogFault =
  | 'bad_signature'
  | 'unreadable'
  | 'row_mismatch'
  | 'digest_mismatch'
  | 'chain_broken'
  | 'delivery_missing'
  | 'certificate_missing'
  | 'certificate_invalid';

/** The key of the certificate that a row names, as far as it was this device's and valid then; else why there is none. */
export type KeyFound = VerificationKey | 'certificate_missing' | 'certificate_invalid';

export type LogRecord = Pick<
  EvidenceRecord,
  'deviceId' | 'stream' | 'epoch' | 'seq' | 'ts' | 'payload' | 'canonicalSha256'
> & { readonly segment: number };

interface Current extends ReadHead {
  readonly digests: readonly string[] | undefined;
  readonly stands: boolean;
}

/** One delivery. To be called in order: `deliver` (unless it is missing), then `segment` and its records again and again, at last `end`. */
export class LogFollower {
  private delivery: LogDelivery | undefined;
  private before: { readonly segment: number; readonly sha256: string | undefined } | undefined;
  private current: Current | undefined;

  constructor(
    private readonly deviceId: string,
    private readonly orderId: string,
  ) {}

  /** @param key good at the time of receipt */
  deliver(kept: EvidenceDelivery, key: KeyFound): LogFault | undefined {
    const read = readLogDelivery(kept);
    if (!read) return 'unreadable';
    const { device_id, order, log } = read.delivery;
    if (device_id !== this.deviceId || order !== this.orderId || order !== kept.orderId || log !== kept.log)
      return 'row_mismatch';
    if (typeof key === 'string') return key;
    if (!read.isSignedBy(key)) return 'bad_signature';
    this.delivery = read.delivery;
    return undefined;
  }

  /** @param keyAt of the segment's certificate, good at the time that its head tells: it may have expired since */
  segment(kept: EvidenceSegment, keyAt: (at: Date) => KeyFound): LogFault | undefined {
    const read = readLogHead(kept);
    const digests = read && kept.digests ? digestsOf(read, kept.digests) : undefined;
    const fault = read ? this.faultOf(kept, read, digests, keyAt) : 'unreadable';
    const broken = !this.follows(kept.segment, read);
    this.before = { segment: kept.segment, sha256: read?.sha256 };
    this.current = read && { ...read, digests, stands: fault === undefined };
    return fault ?? (broken ? 'chain_broken' : undefined);
  }

  /** A record stands by the signature over its segment; the chain says besides that no segment is missing. */
  record(record: LogRecord): RecordVerdict {
    const { current } = this;
    if (this.before?.segment !== record.segment) return { ok: false, fault: 'segment_missing' };
    if (!current?.stands || !current.digests) return { ok: false, fault: 'segment_invalid' };
    const { head, digests } = current;
    if (record.stream !== head.stream || record.epoch !== head.epoch) return { ok: false, fault: 'row_mismatch' };
    if (digests[record.seq - head.seq] !== record.canonicalSha256) return { ok: false, fault: 'digest_mismatch' };
    return judge(record);
  }

  /** What is missing at the end, if anything is. */
  end(): LogFault | undefined {
    const { delivery, before } = this;
    if (!delivery) return undefined;
    return before?.segment === delivery.last && before.sha256 === delivery.head ? undefined : 'chain_broken';
  }

  private faultOf(
    kept: EvidenceSegment,
    read: ReadHead,
    digests: readonly string[] | undefined,
    keyAt: (at: Date) => KeyFound,
  ): LogFault | undefined {
    const { head } = read;
    if (head.device_id !== this.deviceId || head.log !== kept.log || head.segment !== kept.segment)
      return 'row_mismatch';
    const key = keyAt(new Date(head.ts * 1000));
    if (typeof key === 'string') return key;
    if (!read.isSignedBy(key)) return 'bad_signature';
    return kept.digests && !digests ? 'digest_mismatch' : undefined;
  }

  private follows(number: number, read: ReadHead | undefined): boolean {
    const { before, delivery } = this;
    if (!before) return delivery === undefined || number === delivery.first;
    return number === before.segment + 1 && before.sha256 !== undefined && read?.head.previous === before.sha256;
  }
}

function judge(record: LogRecord): RecordVerdict {
  try {
    const payload = RecordPayload.safeParse(scan(record.payload).value()).data;
    if (!payload) return { ok: false, fault: 'unreadable' };
    if (!agrees(record, payload)) return { ok: false, fault: 'row_mismatch' };
    return canonicalDigest(payload) === record.canonicalSha256 ? { ok: true } : { ok: false, fault: 'digest_mismatch' };
  } catch (error) {
    if (error instanceof DomainError) return { ok: false, fault: 'unreadable' };
    throw error;
  }
}
