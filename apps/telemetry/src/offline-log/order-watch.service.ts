import { Inject, Injectable } from '@nestjs/common';
import type { DeviceId, Epoch, StreamName } from '@outrider/ids';
import { CONFIG, LOGGER, type Logger } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.js';
import type { WindowView } from '../window/window-view.js';
import type { Contact } from './contact.js';
import type { OrderView } from './fetch-order.js';
import { FetchOrders } from './fetch-orders.service.js';
import { lowest } from './ranges.js';
import { type Want, type WatchedGap, wantsOfLate, watchGap } from './when-to-order.js';

const REMEMBERED_DEVICES = 20_000;
const REMEMBERED_NUMBERS = 100_000;
const REMEMBERED_RANGES = 64;

interface Memory {
  /** Refused as too late, above what the window had passed by then. */
  late: Want[];
  readonly gaps: Map<string, WatchedGap>;
}

/**
 * Looks on at live contacts, and sees that what they cannot bring is asked for. What it remembers is a convenience: a vehicle says by
 * itself what it holds, and gaps inside the window are found again.
 */
@Injectable()
export class OrderWatch {
  private readonly remembered = new LRUCache<DeviceId, Memory>({ max: REMEMBERED_DEVICES });

  constructor(
    private readonly orders: FetchOrders,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The orders open for the device, for the answer; undefined when there are none. Never fails: telemetry goes before. */
  async afterContact(deviceId: DeviceId, contact: Contact): Promise<readonly OrderView[] | undefined> {
    const wants = this.wants(deviceId, contact);
    const until = contact.device?.ordersUntil;
    if (wants.length === 0 && !(until && until.getTime() > Date.now())) return undefined;
    try {
      if (wants.length > 0) await this.orders.issueFor(deviceId, wants);
      const open = await this.orders.open(deviceId);
      return open.length > 0 ? open : undefined;
    } catch (error) {
      this.logger.warn({ err: error, deviceId }, 'fetch orders have to wait for the next contact');
      return undefined;
    }
  }

  /** A vehicle that begins again: what its windows miss was lost on the way, there is nothing to wait for. */
  async afterReconnect(deviceId: DeviceId, windows: readonly WindowView[]): Promise<readonly OrderView[]> {
    const wants = windows.flatMap(({ stream, epoch, missing }): Want[] =>
      missing.length === 0
        ? []
        : [{ stream: stream as StreamName, epoch: epoch as Epoch, ranges: missing, reason: 'gap' }],
    );
    if (wants.length > 0) await this.orders.issueFor(deviceId, wants);
    return this.orders.open(deviceId);
  }

  private wants(deviceId: DeviceId, { windows, late, skipped }: Contact): Want[] {
    const gaps = windows.some(({ missing }) => missing.length > 0);
    const known = this.remembered.get(deviceId);
    if (late.length === 0 && skipped.length === 0 && !gaps && !known) return [];
    const memory = known ?? { late: [], gaps: new Map() };
    const wants = merge(skipped.map(({ range, ...of }): Want => ({ ...of, ranges: [range], reason: 'gap' })));
    memory.late = merge([...memory.late, ...wantsOfLate(late)]);
    const passed = memory.late.filter((want) => hasPassed(want, windows));
    wants.push(...passed);
    memory.late = memory.late.filter((want) => !passed.includes(want));
    wants.push(...this.patientlyMissing(memory, windows));
    if (memory.late.length === 0 && memory.gaps.size === 0) this.remembered.delete(deviceId);
    else this.remembered.set(deviceId, memory);
    return wants;
  }

  private patientlyMissing(memory: Memory, windows: readonly WindowView[]): Want[] {
    const patienceMs = this.config.skewSeconds * 1000;
    return windows.flatMap(({ stream, epoch, missing }): Want[] => {
      const { watched, due } = watchGap(memory.gaps.get(stream), missing, patienceMs, performance.now());
      if (watched) memory.gaps.set(stream, watched);
      else memory.gaps.delete(stream);
      return due ? [{ stream: stream as StreamName, epoch: epoch as Epoch, ranges: missing, reason: 'gap' }] : [];
    });
  }
}

/** One entry a stream and epoch, bounded. */
function merge(wants: readonly Want[]): Want[] {
  const merged = new Map<string, Want>();
  for (const want of wants) {
    const key = `${want.stream} ${want.epoch}`;
    const ranges = [...(merged.get(key)?.ranges ?? []), ...want.ranges];
    merged.set(key, { ...want, ranges: lowest(ranges, REMEMBERED_NUMBERS, REMEMBERED_RANGES) });
  }
  return [...merged.values()].slice(0, 8);
}

/** The live window has gone beyond all of it, or its epoch is over. */
function hasPassed({ stream, epoch, ranges }: Want, windows: readonly WindowView[]): boolean {
  const last = ranges.at(-1)?.[1] ?? 0;
  return windows.some((window) =>
    epoch < window.epoch ? true : window.stream === stream && epoch === window.epoch && last < window.highest,
  );
}
