/** Counts what re-verifying a range finds, and says it. */
import type { LogFault, RecordFault, RecordFormat, RecordVerdict } from '@outrider/evidence';

/** Which part of an offline log. `segment`: null where the delivery as a whole is meant. */
export interface LogPlace {
  readonly order: string;
  readonly log: string;
  readonly segment: number | null;
}

/** What does not stand: a record, or, where `seq` is null, a segment or a delivery of an offline log. `log`: null of a live record. */
export interface Fault {
  readonly stream: string | null;
  readonly epoch: number | null;
  readonly seq: number | null;
  readonly received_at: string;
  readonly thumbprint: string | null;
  readonly log: LogPlace | null;
  readonly fault: RecordFault | LogFault;
}

/** `total`: as counted at the beginning; what came later is checked too where the range is open. */
export class VerifyProgress {
  private checked = 0;
  private verified = 0;
  private readonly faults: Partial<Record<RecordFault | LogFault, number>> = {};
  private readonly formats: Partial<Record<RecordFormat | 'log', number>> = {};
  private readonly logs = { deliveries: 0, segments: 0, faulty: 0, unanchored: 0 };
  private readonly certificates = new Set<string>();
  private last: string | undefined;

  constructor(private readonly total: number) {}

  /** `format`: `log` for what an offline log brought, whatever carried it. */
  add(format: RecordFormat | 'log', thumbprint: string, receivedAt: string, verdict: RecordVerdict): void {
    this.checked += 1;
    this.formats[format] = (this.formats[format] ?? 0) + 1;
    this.certificates.add(thumbprint);
    this.last = receivedAt;
    if (verdict.ok) this.verified += 1;
    else this.count(verdict.fault);
  }

  /** A record that stands, though somebody else may have signed it since the key was revoked. */
  addUnanchored(): void {
    this.logs.unanchored += 1;
  }

  /** A delivery, or a segment, of an offline log. */
  addPart(part: 'deliveries' | 'segments', thumbprint: string | null, fault: LogFault | undefined): void {
    this.logs[part] += 1;
    if (thumbprint !== null) this.certificates.add(thumbprint);
    if (fault) this.addLogFault(fault);
  }

  addLogFault(fault: LogFault): void {
    this.logs.faulty += 1;
    this.count(fault);
  }

  private count(fault: RecordFault | LogFault): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  progress() {
    const { checked, verified, total, last } = this;
    return {
      checked,
      verified,
      faulty: checked - verified,
      total: Math.max(total, checked),
      received_at: last ?? null,
    };
  }

  /** `ok`: everything in the range stands. `faulty`: records; `logs.faulty`: deliveries and segments. */
  summary() {
    const { checked, verified, faults, formats, logs } = this;
    const faulty = checked - verified;
    const ok = faulty === 0 && logs.faulty === 0;
    return { ok, checked, verified, faulty, faults, formats, logs, certificates: [...this.certificates] };
  }
}
