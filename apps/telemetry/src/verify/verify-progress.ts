/** Counts what re-verifying a range finds, and says it. */
import type { RecordFault, RecordFormat, RecordVerdict } from '@outrider/evidence';

/** `fault`: of one record, which does not stand. */
export interface Fault {
  readonly stream: string;
  readonly epoch: number;
  readonly seq: number;
  readonly received_at: string;
  readonly thumbprint: string;
  readonly fault: RecordFault;
}

/** `total`: as counted at the beginning; what came later is checked too where the range is open. */
export class VerifyProgress {
  private checked = 0;
  private verified = 0;
  private readonly faults: Partial<Record<RecordFault, number>> = {};
  private readonly formats: Partial<Record<RecordFormat, number>> = {};
  private readonly certificates = new Set<string>();
  private last: string | undefined;

  constructor(private readonly total: number) {}

  add(format: RecordFormat, thumbprint: string, receivedAt: string, verdict: RecordVerdict): void {
    this.checked += 1;
    this.formats[format] = (this.formats[format] ?? 0) + 1;
    this.certificates.add(thumbprint);
    this.last = receivedAt;
    if (verdict.ok) this.verified += 1;
    else this.faults[verdict.fault] = (this.faults[verdict.fault] ?? 0) + 1;
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

  /** `ok`: everything in the range stands. */
  summary() {
    const { checked, verified, faults, formats } = this;
    const faulty = checked - verified;
    return { ok: faulty === 0, checked, verified, faulty, faults, formats, certificates: [...this.certificates] };
  }
}
