/** What a chunk of a job's lines is about, as it is known and becomes known by each decision. */
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import type { HeldCertificate, Release } from '../hold/release.js';
import type { Revocation } from '../revoke/revoke.js';
import type { LineKind } from './job.js';

interface Standing {
  readonly reasons: readonly RevocationReason[];
  readonly held: readonly string[];
}

export interface Line {
  readonly line: number;
  readonly kind: LineKind;
  readonly value: string;
}

export interface Known {
  /** What the lines name, and unexpired certificates of the same devices and keys. */
  readonly certificates: readonly HeldCertificate[];
  readonly devices: ReadonlyMap<DeviceId, Standing>;
  readonly keys: ReadonlyMap<string, Standing>;
}

const NOTHING: Standing = { reasons: [], held: [] };

export class World {
  readonly #certificates: Map<string, HeldCertificate>;
  readonly #devices: Map<DeviceId, Standing>;
  readonly #keys: Map<string, Standing>;
  readonly #byDevice: Map<string, string[]>;
  readonly #byKey: Map<string, string[]>;
  readonly #bySerial: Map<string, string[]>;

  constructor(
    { certificates, devices, keys }: Known,
    private readonly now: Date,
  ) {
    this.#certificates = new Map(certificates.map((one) => [one.ref.thumbprint, one]));
    this.#devices = new Map(devices);
    this.#keys = new Map(keys);
    this.#byDevice = this.#index(({ ref }) => ref.deviceId ?? '');
    this.#byKey = this.#index(({ ref }) => ref.keyThumbprint);
    this.#bySerial = this.#index(({ ref }) => ref.serialNumber);
  }

  /** @throws DomainError `revocation.target_conflict` where several issuers used the serial number */
  named({ kind, value }: Line): HeldCertificate | undefined {
    if (kind === 'thumbprint') return this.#certificates.get(value);
    const found = this.#bySerial.get(value) ?? [];
    if (found.length > 1)
      throw new DomainError('revocation.target_conflict', { detail: 'several issuers used this serial' });
    return this.#certificates.get(found[0] ?? '');
  }

  device(deviceId: DeviceId) {
    return { deviceId, ...(this.#devices.get(deviceId) ?? NOTHING) };
  }

  key(keyThumbprint: string) {
    return { keyThumbprint, ...(this.#keys.get(keyThumbprint) ?? NOTHING) };
  }

  /** Unexpired certificates of the device, and with the key. */
  related(deviceId: DeviceId | undefined, keyThumbprint: string | undefined): HeldCertificate[] {
    const names = new Set([
      ...(deviceId ? (this.#byDevice.get(deviceId) ?? []) : []),
      ...(keyThumbprint ? (this.#byKey.get(keyThumbprint) ?? []) : []),
    ]);
    return [...names].flatMap((name) => {
      const one = this.#certificates.get(name);
      return one && Date.parse(one.ref.notAfter) > this.now.getTime() ? [one] : [];
    });
  }

  revoked({ fresh, freshDevice, freshKey, reason }: Revocation): void {
    for (const { thumbprint } of fresh) {
      const one = this.#certificates.get(thumbprint);
      if (one) this.#certificates.set(thumbprint, { ...one, reasons: [...one.reasons, reason] });
    }
    if (freshDevice) this.#devices.set(freshDevice, added(this.device(freshDevice), reason));
    if (freshKey) this.#keys.set(freshKey, added(this.key(freshKey), reason));
  }

  released({ certificates, device, key }: Release): void {
    for (const one of certificates) this.#certificates.set(one.ref.thumbprint, { ...one, ...NOTHING });
    if (device) this.#devices.set(device.deviceId, NOTHING);
    if (key) this.#keys.set(key.keyThumbprint, NOTHING);
  }

  #index(by: (one: HeldCertificate) => string): Map<string, string[]> {
    const groups = Map.groupBy(this.#certificates.values(), by);
    return new Map([...groups].map(([name, group]) => [name, group.map(({ ref }) => ref.thumbprint)]));
  }
}

function added({ reasons, held }: Standing, reason: RevocationReason): Standing {
  return { reasons: [...reasons, reason], held };
}
