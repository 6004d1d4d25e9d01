/** What clone detection remembers of the devices of a group of requests: each finds what the one before it left. */
import type { DeviceId } from '@outrider/ids';
import type { LastAsk } from './clone.js';

/** One request, as it is remembered. */
export interface AskMemory extends LastAsk {
  readonly deviceId: DeviceId;
  /** Where a factory certificate asks: its own key. */
  readonly factoryKeyThumbprint?: string | undefined;
}

export class CloneMemory {
  /** To be kept. */
  readonly noted: AskMemory[] = [];
  private readonly last: Map<DeviceId, LastAsk>;

  /** @param factoryKeys the devices that presented each key in a factory certificate, by key. */
  constructor(
    lastAsks: ReadonlyMap<DeviceId, LastAsk>,
    private readonly factoryKeys: ReadonlyMap<string, readonly DeviceId[]>,
  ) {
    this.last = new Map(lastAsks);
  }

  lastAsk(deviceId: DeviceId): LastAsk | undefined {
    return this.last.get(deviceId);
  }

  /** Other devices that presented the key. */
  factoryKeyHolders(keyThumbprint: string, deviceId: DeviceId): DeviceId[] {
    const stored = this.factoryKeys.get(keyThumbprint) ?? [];
    const now = this.noted.filter((one) => one.factoryKeyThumbprint === keyThumbprint).map((one) => one.deviceId);
    return [...new Set([...stored, ...now])].filter((one) => one !== deviceId);
  }

  note(ask: AskMemory): void {
    this.noted.push(ask);
    this.last.set(ask.deviceId, ask);
  }
}
