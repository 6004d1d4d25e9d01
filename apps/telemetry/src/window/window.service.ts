import { Injectable } from '@nestjs/common';
import type { DeviceId, StreamName } from '@outrider/ids';
import type { DeviceState } from './decide-batch.js';
import { type WindowView, windowViews } from './window-view.js';
import { WindowsRepository } from './windows.repository.js';

/** A device that has never sent anything. */
const FRESH: DeviceState = { epoch: 0, minEpoch: 0, raisedAtMs: undefined, windows: new Map() };

/** Tells a vehicle where its streams stand. */
@Injectable()
export class WindowService {
  constructor(private readonly windows: WindowsRepository) {}

  async read(deviceId: DeviceId, stream: StreamName | undefined): Promise<WindowView[]> {
    return windowViews((await this.windows.find(deviceId)) ?? FRESH, stream);
  }
}
