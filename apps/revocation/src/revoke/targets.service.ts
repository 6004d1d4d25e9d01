import { Injectable } from '@nestjs/common';
import { certificateGet, deviceGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Certificates, type HeldCertificate } from '../certificate/certificates.repository.js';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import type { RevokeTarget } from './revoke-request.js';

const ASK_TIMEOUT_MS = 1000;

/** Finds what an operator names, in the projection or by asking its owner. */
@Injectable()
export class Targets {
  constructor(
    private readonly database: Database,
    private readonly certificates: Certificates,
    private readonly denylist: DenylistRepository,
    private readonly nats: Nats,
  ) {}

  /**
   * Makes sure that what is named is in the projection, asking its owner if need be. @returns false where nobody knows it and force stands in.
   * @throws DomainError `revocation.certificate_unknown`, `service.upstream_unavailable`
   */
  async learn(target: RevokeTarget, force: boolean): Promise<boolean> {
    const isKnown = await this.database.transaction((tx) => this.isKnown(tx, target));
    if (isKnown) return true;
    try {
      const refs = await this.ask(target);
      await this.database.transaction(async (tx) => {
        await this.denylist.lock(tx);
        for (const ref of refs) await this.certificates.record(tx, ref);
      });
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (force) return false;
      if (error.code === 'ca.certificate_unknown') throw unknown(error, 'no such certificate');
      if (error.code === 'provisioning.device_not_found') throw unknown(error, 'no such device');
      if (error.code === 'revocation.certificate_unknown') throw error;
      throw new DomainError('service.upstream_unavailable', {
        cause: error,
        detail: 'nobody could say what this names; "force": true denies it anyway',
        retryAfterSeconds: 1,
      });
    }
  }

  /**
   * The certificate that a serial number or a thumbprint names; undefined where neither is given.
   * @throws DomainError `revocation.certificate_unknown`, `revocation.target_conflict`
   */
  async named(tx: EntityManager, target: RevokeTarget): Promise<HeldCertificate | undefined> {
    if (!isCertificate(target)) return undefined;
    const found = await this.find(tx, target);
    const fitting =
      found.length > 1 && target.deviceId ? found.filter((c) => c.ref.deviceId === target.deviceId) : found;
    if (fitting.length > 1)
      throw new DomainError('revocation.target_conflict', {
        detail: 'several issuers used this serial: name the thumbprint',
      });
    // Asked for a moment ago and gone now: not possible, rows of this table stay.
    if (found.length === 0) throw new DomainError('revocation.certificate_unknown');
    if (fitting.length === 0) throw new DomainError('revocation.target_conflict');
    return fitting[0];
  }

  /**
   * At most `limit` of the devices that it reaches: the one that is named, or whose certificate is; all that have a named key; and, where
   * the key counts as compromised, all that share one with them.
   */
  devicesOf(target: RevokeTarget, isCompromise: boolean, now: Date, limit: number): Promise<DeviceId[]> {
    return this.database.transaction(async (tx) => {
      const found = isCertificate(target) ? await this.find(tx, target) : [];
      const named = [target.deviceId, ...found.map(({ ref }) => ref.deviceId)].filter((id) => id !== undefined);
      const isKey = named.length === 0 && found.length === 0;
      const keys = isCompromise ? found.map(({ ref }) => ref.keyThumbprint) : [];
      if (isKey && target.keyThumbprint) keys.push(target.keyThumbprint);
      const sharing = await this.certificates.devicesWithKeys(tx, isCompromise ? named : [], keys, now, limit);
      return [...new Set([...named, ...sharing])].slice(0, limit);
    });
  }

  private find(tx: EntityManager, { thumbprint, serialNumber }: RevokeTarget): Promise<HeldCertificate[]> {
    if (thumbprint) return this.certificates.named(tx, { thumbprints: [thumbprint] });
    return this.certificates.named(tx, { serials: serialNumber ? [serialNumber] : [] });
  }

  private async isKnown(tx: EntityManager, target: RevokeTarget): Promise<boolean> {
    if (isCertificate(target)) return (await this.find(tx, target)).length > 0;
    if (target.deviceId) return this.certificates.hasDevice(tx, target.deviceId);
    return this.certificates.hasKey(tx, target.keyThumbprint as string);
  }

  private async ask({ serialNumber, thumbprint, deviceId }: RevokeTarget) {
    const options = { timeoutMs: ASK_TIMEOUT_MS };
    if (thumbprint) return [(await this.nats.request(certificateGet, { thumbprint }, options)).ref];
    if (serialNumber) return [(await this.nats.request(certificateGet, { serialNumber }, options)).ref];
    if (deviceId) return (await this.nats.request(deviceGet, { deviceId }, options)).certificates;
    // Every certificate is heard of: a key that none of them has is nobody's.
    throw new DomainError('revocation.certificate_unknown', {
      detail: 'no certificate has this key; "force": true denies it anyway',
    });
  }
}

export function isCertificate({ serialNumber, thumbprint }: RevokeTarget): boolean {
  return serialNumber !== undefined || thumbprint !== undefined;
}

function unknown(cause: DomainError, what: string): DomainError {
  return new DomainError('revocation.certificate_unknown', {
    cause,
    detail: `${what}; "force": true denies it anyway`,
  });
}
