import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JWS_TYP } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { BATCHES_KEPT, type ExportLine, type Manifest } from '@outrider/evidence';
import type { DeviceId } from '@outrider/ids';
import { ServiceIdentity } from '@outrider/platform/nats';
import { TrustFiles } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import { LogEvidence, type LogItem } from '../reading/log-evidence.service.js';
import { MessagesInRange } from '../reading/messages-in-range.service.js';
import type { TimeRange } from '../reading/range.js';
import { ReadingRepository } from '../reading/reading.repository.js';
import type { StoredMessage } from '../reading/stored-message.js';
import { Signers } from '../verify/signers.service.js';
import { deliveryLine, lineOf, recordLine, segmentLine } from './export-lines.js';

/** A device's messages of a range with all that proves them, as lines of text; the last is the signed manifest (docs/protocols/telemetry-reading.md). */
@Injectable()
export class ExportService {
  constructor(
    private readonly messages: ReadingRepository,
    private readonly range: MessagesInRange,
    private readonly logs: LogEvidence,
    private readonly signers: Signers,
    private readonly trust: TrustFiles,
    private readonly identity: ServiceIdentity,
  ) {}

  /**
   * Text of whole lines, a page at a time; nothing is held but the page and the last batches' digests.
   * @param madeAt an open range ends here
   * @throws DomainError `telemetry.unknown_device` for one that has never sent anything, `service.unavailable` for a PostgreSQL that is away, `service.upstream_unavailable` for a provisioning that is
   */
  async *run(deviceId: DeviceId, { from, to }: TimeRange, madeAt: Date): AsyncGenerator<string, void, undefined> {
    const end = to !== undefined && to < madeAt ? to : madeAt;
    if (!(await this.messages.knows(deviceId))) throw new DomainError('telemetry.unknown_device');
    const said = { v: 2 as const, device_id: deviceId, from: from?.toISOString() ?? null, to: end.toISOString() };
    const what = { ...said, made_at: madeAt.toISOString() };
    const writing = new Writing();
    // With the first record: where that cannot be had, there is no export.
    let text = writing.lines([{ type: 'export', ...what }, ...this.authorities()]);
    for await (const page of this.range.pages(deviceId, { from, to: end })) {
      for (const message of page) {
        const lines: ExportLine[] = [];
        await this.addCertificate(message.thumbprint, writing, lines);
        await this.addBatch(message, writing, lines);
        lines.push(recordLine(message));
        yield text + writing.lines(lines);
        text = '';
      }
    }
    for await (const item of this.logs.items(deviceId, { from, to: end })) {
      const lines: ExportLine[] = [];
      const line = logLine(item);
      if (!line) continue;
      await this.addCertificate(line.thumbprint, writing, lines);
      lines.push(line);
      yield text + writing.lines(lines);
      text = '';
    }
    const { records, certificates } = writing;
    const manifest: Manifest = { ...what, records, certificates: [...certificates], sha256: writing.digest() };
    yield text + lineOf({ type: 'manifest', jws: this.identity.sign(JWS_TYP.export, manifest) });
  }

  private authorities(): ExportLine[] {
    return [...this.trust.vehicleCa, ...this.trust.infrastructureCa].map((authority) => ({
      type: 'authority',
      certificate: base64(authority),
    }));
  }

  private async addCertificate(thumbprint: string, { certificates }: Writing, lines: ExportLine[]) {
    if (certificates.has(thumbprint)) return;
    certificates.add(thumbprint);
    const kept = await this.signers.find(thumbprint);
    // One that nobody has any more is missing in the export too, and whoever verifies is told so.
    if (kept) {
      lines.push({ type: 'certificate', thumbprint, certificate: base64(kept.certificate), status: kept.status });
    }
  }

  private async addBatch(message: StoredMessage, { batches }: Writing, lines: ExportLine[]): Promise<void> {
    const sha256 = message.batch_sha256?.toString('hex');
    if (sha256 === undefined || batches.has(sha256)) return;
    const batch = await this.messages.batch(message);
    if (!batch) return;
    batches.add(sha256);
    if (batches.size > BATCHES_KEPT) batches.delete(batches.values().next().value!);
    const { format, bytes, signature } = batch;
    lines.push({ type: 'batch', sha256, format, bytes: bytes.toString('base64'), signature });
  }
}

/** What has been written so far. */
class Writing {
  private readonly hash = createHash('sha256');
  readonly certificates = new Set<string>();
  readonly batches = new Set<string>();
  records = 0;

  lines(lines: readonly ExportLine[]): string {
    const text = lines.map(lineOf).join('');
    this.records += lines.filter(({ type }) => type === 'record').length;
    this.hash.update(text);
    return text;
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}

function logLine(item: LogItem) {
  if ('record' in item) return recordLine(item.record);
  return 'segment' in item ? segmentLine(item.segment) : deliveryLine(item.delivery);
}

function base64({ der }: ParsedCertificate): string {
  return Buffer.from(der).toString('base64');
}
