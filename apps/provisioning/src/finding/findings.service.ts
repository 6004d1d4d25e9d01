import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { findingRaised } from '@outrider/contracts';
import { Database, Outbox } from '@outrider/platform/postgres';
import { LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices } from '../device/devices.repository.js';
import type { Label } from '../label/label.js';
import { transition } from '../lifecycle/lifecycle.js';
import { distinct, type Finding, SAME_FINDING_MS } from './finding.js';
import { FindingLog } from './findings.repository.js';

/** Keeps what clone detection found, tells it, and quarantines by the label's policy: all in the transaction of the decision. */
@Injectable()
export class Findings {
  private readonly raised;

  constructor(
    private readonly database: Database,
    private readonly log: FindingLog,
    private readonly devices: Devices,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.raised = metrics.counter('outrider_findings_total', 'Findings of clone detection, repeated ones too.', [
      'kind',
      'certain',
    ]);
  }

  /** @param device its row, locked; quarantined in place. */
  async raise(
    tx: EntityManager,
    device: DeviceRow,
    findings: readonly Finding[],
    label: Label,
    now: Date,
  ): Promise<void> {
    for (const finding of distinct(findings)) {
      this.raised.inc({ kind: finding.kind, certain: String(finding.certain) });
      const quarantined = finding.certain && label.policy.cloneDetection === 'quarantine' && isFree(device);
      const since = new Date(now.getTime() - SAME_FINDING_MS);
      if (!quarantined && (await this.log.isKnown(tx, device.deviceId, finding, since))) continue;
      const { deviceId } = device;
      const { about, ...said } = finding;
      const findingId = randomUUID();
      await this.log.add(tx, { ...finding, findingId, deviceId, label: label.name, quarantined, at: now });
      const event = { ...said, thumbprints: [...said.thumbprints], remoteAddresses: [...said.remoteAddresses] };
      await this.outbox.add(
        tx,
        findingRaised,
        { ...event, findingId, deviceId, quarantined, raisedAt: now.toISOString() },
        deviceId,
      );
      this.logger.warn({ deviceId, findingId, kind: finding.kind, about, quarantined }, finding.detail);
      if (!quarantined) continue;
      const act = { who: 'provisioning', why: `finding ${finding.kind}`, detail: { finding: findingId } };
      await this.devices.moveAll(tx, [{ device, event: { kind: 'suspected' }, act }], now);
    }
  }

  /** Where nothing else is decided about the device: in a transaction of its own. */
  async raiseAlone(deviceId: DeviceRow['deviceId'], findings: readonly Finding[], label: Label): Promise<void> {
    await this.database.transaction(async (tx) => {
      const device = await this.devices.lock(tx, deviceId);
      if (device) await this.raise(tx, device, findings, label, new Date());
    });
  }
}

/** Whether a finding would still put it into quarantine. */
function isFree({ state, holds, resumes, inWorkshop }: DeviceRow): boolean {
  const standing = { state, holds, resumes, inWorkshop };
  return transition(standing, { kind: 'suspected' }) !== standing;
}
