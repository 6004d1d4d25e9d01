import { Inject, Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import type { Thumbprint } from '@outrider/ids';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { type Revocation, revoke } from './revoke.js';

/**
 * What was renewed from a service's certificate goes with it, down to the last, for every reason but a hold: whoever stole a key has
 * renewed by it before anybody knew. A vehicle's certificates are found by its device.
 */
@Injectable()
export class Descendants {
  private readonly entryGraceMs: number;

  constructor(
    private readonly certificates: Certificates,
    @Inject(CONFIG) config: Config,
  ) {
    this.entryGraceMs = (config.denylist.renewalGraceSeconds + config.denylist.skewSeconds) * 1000;
  }

  /** Of what was decided: of the certificates that it covers, and of those, expired ones too, whose keys it denies. */
  async of(tx: EntityManager, decided: readonly Revocation[], now: Date): Promise<Revocation[]> {
    const byReason = Map.groupBy(decided, ({ reason }) => reason);
    const found: Revocation[] = [];
    for (const [reason, all] of byReason) {
      const covered = all.flatMap((one) => one.covered);
      const services = covered.filter(({ deviceId }) => deviceId === undefined);
      const ofVehicles = new Set(covered.flatMap((ref) => (ref.deviceId ? [ref.keyThumbprint] : [])));
      const keys = all.flatMap(({ claims }) => claims.filter(({ kind }) => kind === 'key').map(({ value }) => value));
      const thumbprints = services.map(({ thumbprint }) => thumbprint);
      const others = [...new Set(keys)].filter((key) => !ofVehicles.has(key));
      found.push(...(await this.ofNamed(tx, thumbprints, others, reason, now)));
    }
    return found;
  }

  /** The same of certificates, known here or not, and of keys. */
  async ofNamed(
    tx: EntityManager,
    thumbprints: readonly Thumbprint[],
    keyThumbprints: readonly string[],
    reason: RevocationReason,
    now: Date,
  ): Promise<Revocation[]> {
    if (reason === 'certificateHold' || thumbprints.length + keyThumbprints.length === 0) return [];
    const related = await this.certificates.descendants(tx, thumbprints, keyThumbprints, now);
    if (related.length === 0) return [];
    return [revoke({ named: undefined, device: undefined, related, reason, entryGraceMs: this.entryGraceMs })];
  }
}
