import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { FindingKind, findingRaised } from '@outrider/contracts';
import { Outbox } from '@outrider/platform/postgres';
import { CONFIG, LOGGER, Metrics } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import type { Config } from '../config.js';
import type { DeviceRow } from '../device/device.entity.js';
import { Devices } from '../device/devices.repository.js';
import { findLabel, type Label } from '../label/label.js';
import { transition } from '../lifecycle/lifecycle.js';
import { distinct, type Finding, SAME_FINDING_MS } from './finding.js';
import { FindingLog } from './findings.repository.js';

const LABELS_IN_FORCE = `
  SELECT DISTINCT label FROM certificates WHERE device_id = $1 AND not_after > $2 AND status IN ('pending', 'live')`;

/** Keeps what clone detection found, tells it, and quarantines by the label's policy: all in the transaction of the decision. */
@Injectable()
export class Findings {
  private readonly raised;

  constructor(
    private readonly log: FindingLog,
    private readonly devices: Devices,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.raised = metrics.counter('outrider_findings_total', 'Findings of clone detection, repeated ones too.', [
      'kind',
      'certain',
    ]);
    // There from the beginning: an alert sees a count grow, not one that appears.
    for (const kind of FindingKind.options)
      for (const certain of ['true', 'false']) this.raised.inc({ kind, certain }, 0);
  }

  /** @param device its row, locked; quarantined in place. @param isNew it has no row yet: there is nothing to quarantine. */
  async raise(
    tx: EntityManager,
    device: DeviceRow,
    findings: readonly Finding[],
    label: Label,
    now: Date,
    isNew = false,
  ): Promise<void> {
    for (const finding of distinct(findings)) {
      this.raised.inc({ kind: finding.kind, certain: String(finding.certain) });
      const mayHold = finding.certain && !isNew && isFree(device);
      const quarantined = mayHold && (quarantines(label) || (await this.isGuarded(tx, device, now)));
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

  /** Whoever asks names the label: what a certificate in force was given under holds as well, or a clone would ask elsewhere. */
  private async isGuarded(tx: EntityManager, { deviceId }: DeviceRow, now: Date): Promise<boolean> {
    const labels: { label: string }[] = await tx.query(LABELS_IN_FORCE, [deviceId, now]);
    return labels.some(({ label }) => quarantines(findLabel(this.config.labels, label)));
  }
}

function quarantines(label: Label | undefined): boolean {
  return label?.policy.cloneDetection === 'quarantine';
}

/** Whether a finding would still put it into quarantine. */
function isFree({ state, holds, resumes, inWorkshop }: DeviceRow): boolean {
  const standing = { state, holds, resumes, inWorkshop };
  return transition(standing, { kind: 'suspected' }) !== standing;
}
