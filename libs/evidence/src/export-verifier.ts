/** Judges an export line by line, offline and in bounded memory: each record by its own signature, the whole by the signed manifest. */
import { createHash } from 'node:crypto';
import type { VerificationKey } from '@outrider/crypto';
import { JWS_TYP, sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import type { z } from 'zod';
import {
  BATCHES_KEPT,
  type BatchLine,
  ExportLine,
  isOutside,
  Manifest,
  type RecordLine,
  toEvidence,
} from './export-line.js';
import { LogLines } from './export-logs.js';
import type { KeyFound, LogFault } from './log-follower.js';
import { scan } from './scan.js';
import { verifyStatement } from './service-statement.js';
import { signingKey } from './signing-certificate.js';
import { type RecordFault, type RecordVerdict, verifyRecord } from './verify-record.js';

const FAULTS_NAMED = 20;
const MAX_AUTHORITIES = 16;
const MAX_CERTIFICATES = 10_000;
const HOUR_MS = 3_600_000;

/** `line`: from 1; where an offline log ends too early, the line after it. `seq`: of a record; `segment`: of a log's. */
export interface ExportFault {
  readonly line: number;
  readonly fault: RecordFault | LogFault | 'out_of_place';
  readonly seq?: number | undefined;
  readonly segment?: number | undefined;
}

/**
 * `ok`: every record and every segment holds, the manifest is signed by the platform and fits the file. `faults`: the first 20.
 * `unanchored`: of the verified records, those that somebody else may have signed since the key was revoked, as the platform says.
 */
export interface ExportReport {
  readonly ok: boolean;
  readonly deviceId: string | undefined;
  readonly from: string | null;
  readonly to: string | null;
  readonly records: number;
  readonly verified: number;
  readonly segments: number;
  readonly unanchored: number;
  readonly faulty: number;
  readonly faults: readonly ExportFault[];
  readonly certificates: number;
  /** Undefined when it holds. */
  readonly manifestFault: string | undefined;
}

type Head = Extract<ExportLine, { type: 'export' }>;

export class ExportVerifier {
  private readonly hash = createHash('sha256');
  private readonly certificates = new Map<string, ParsedCertificate>();
  private readonly keys = new Map<string, VerificationKey>();
  private readonly batches = new Map<string, z.output<typeof BatchLine>>();
  private readonly authorities: ParsedCertificate[] = [];
  private readonly faults: ExportFault[] = [];
  private head: Head | undefined;
  private logs: LogLines | undefined;
  private manifest: string | undefined;
  private lines = 0;
  private records = 0;
  private verified = 0;
  private unanchored = 0;
  private faulty = 0;

  /** @param anchors what is believed without proof: the fleet root, brought by whoever verifies */
  constructor(private readonly anchors: readonly ParsedCertificate[]) {}

  /** The next line, without its newline. */
  line(bytes: Uint8Array): void {
    this.lines += 1;
    const line = parse(bytes);
    if (line?.type === 'manifest' && this.manifest === undefined) {
      this.logs?.end();
      this.manifest = line.jws;
      return;
    }
    this.hash.update(bytes).update('\n');
    if (!line || this.manifest !== undefined || (line.type === 'export') !== (this.lines === 1)) {
      this.fail({ line: this.lines, fault: 'out_of_place' });
      return;
    }
    this.take(line);
  }

  /** After the last line. */
  finish(): ExportReport {
    const manifestFault = this.judgeManifest();
    const { deviceId, from, to } = { deviceId: this.head?.device_id, from: this.head?.from, to: this.head?.to };
    return {
      ok: manifestFault === undefined && this.faulty === 0,
      deviceId,
      from: from ?? null,
      to: to ?? null,
      records: this.records,
      verified: this.verified,
      segments: this.logs?.segments ?? 0,
      unanchored: this.unanchored,
      faulty: this.faulty,
      faults: this.faults,
      certificates: this.certificates.size,
      manifestFault,
    };
  }

  private take(line: ExportLine): void {
    switch (line.type) {
      case 'export':
        this.head = line;
        this.logs = new LogLines({
          ...{ deviceId: line.device_id, from: line.from, to: line.to },
          keyOf: (thumbprint, at) => this.keyOf(thumbprint, line.device_id, at),
          fail: (fault, segment) => this.fail({ line: this.lines, fault, segment }),
        });
        return;
      case 'authority':
        if (this.authorities.length < MAX_AUTHORITIES) this.keep(line.certificate, (one) => this.authorities.push(one));
        return;
      case 'certificate':
        if (this.certificates.size < MAX_CERTIFICATES)
          this.keep(line.certificate, (one) => this.certificates.set(one.thumbprint, one));
        return;
      case 'batch':
        this.keepBatch(line);
        return;
      case 'delivery':
        this.logs?.delivery(line);
        return;
      case 'segment':
        this.logs?.segment(line);
        return;
      case 'record':
        this.judge(line);
        return;
    }
  }

  private keep(certificate: string, put: (one: ParsedCertificate) => void): void {
    try {
      put(parseCertificate(certificate));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.fail({ line: this.lines, fault: 'certificate_invalid' });
    }
  }

  private keepBatch(line: z.output<typeof BatchLine>): void {
    if (sha256Hex(Buffer.from(line.bytes, 'base64')) !== line.sha256) {
      this.fail({ line: this.lines, fault: 'digest_mismatch' });
      return;
    }
    this.batches.set(line.sha256, line);
    if (this.batches.size > BATCHES_KEPT) this.batches.delete(this.batches.keys().next().value!);
  }

  private judge(line: RecordLine): void {
    this.records += 1;
    const fault = this.faultOf(line);
    if (fault === undefined) {
      this.verified += 1;
      if (line.log?.standing === 'unanchored') this.unanchored += 1;
    } else this.fail({ line: this.lines, seq: line.seq, fault });
  }

  private faultOf(line: RecordLine): RecordFault | undefined {
    if (line.device_id !== this.head?.device_id || isOutside(line.received_at, this.head)) return 'row_mismatch';
    const verdict = line.log ? this.logs!.record({ ...line, log: line.log }) : this.liveVerdict(line);
    return verdict.ok ? undefined : verdict.fault;
  }

  private liveVerdict(line: RecordLine): RecordVerdict {
    const key = this.keyOf(line.thumbprint, line.device_id, new Date(line.received_at));
    if (typeof key === 'string') return { ok: false, fault: key };
    return verifyRecord(toEvidence(line, line.batch ? this.batches.get(line.batch.sha256) : undefined), key);
  }

  /** A path is validated once for each certificate and hour, and always at its ends. */
  private keyOf(thumbprint: string, deviceId: string, at: Date): KeyFound {
    const certificate = this.certificates.get(thumbprint);
    if (!certificate) return 'certificate_missing';
    const hour = `${thumbprint} ${Math.floor(at.getTime() / HOUR_MS)}`;
    const known = this.keys.get(hour);
    if (known && at >= certificate.notBefore && at <= certificate.notAfter) return known;
    const trust = { intermediates: this.authorities, anchors: this.anchors };
    const key = signingKey(certificate, deviceId, at, trust);
    if (!key) return 'certificate_invalid';
    if (this.keys.size > 1000) this.keys.clear();
    this.keys.set(hour, key);
    return key;
  }

  private judgeManifest(): string | undefined {
    if (!this.head) return 'it does not begin as an export does';
    if (this.manifest === undefined) return 'there is none: the export was cut short';
    const madeAt = (payload: Uint8Array) => {
      const { data } = Manifest.safeParse(scan(payload).value());
      return data && new Date(data.made_at);
    };
    const anchors = [...this.anchors];
    const verdict = verifyStatement(this.manifest, JWS_TYP.export, madeAt, anchors, this.authorities);
    if (!verdict.ok) return verdict.reason;
    const manifest = Manifest.parse(scan(verdict.payload).value());
    const { v, device_id, from, to } = this.head;
    if (manifest.sha256 !== this.hash.digest('hex')) return 'the file is not the one that was signed';
    const same = manifest.v === v && manifest.device_id === device_id && manifest.from === from && manifest.to === to;
    return same && manifest.records === this.records
      ? undefined
      : 'it is of another device, range or number of records';
  }

  private fail(fault: ExportFault): void {
    this.faulty += 1;
    if (this.faults.length < FAULTS_NAMED) this.faults.push(fault);
  }
}

function parse(bytes: Uint8Array): ExportLine | undefined {
  try {
    return ExportLine.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
