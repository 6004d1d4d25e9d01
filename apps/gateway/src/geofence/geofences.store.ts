import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Schedule } from '@outrider/platform/service';
import { type CompiledGeofence, compileGeofence } from './geofence.js';
import { GeofencesRepository } from './geofences.repository.js';

/** How soon another replica's change counts here. */
const LOOK_MS = 2000;

/** The geofences, compiled once a change and kept in memory. */
@Injectable()
export class Geofences implements OnApplicationBootstrap {
  private fences: readonly CompiledGeofence[] | undefined;
  private change = '';

  constructor(
    private readonly repository: GeofencesRepository,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(LOOK_MS, 'the geofences cannot be looked at', () => this.refresh());
  }

  /** By name. @throws DomainError `service.unavailable` while they were never read. */
  async all(): Promise<readonly CompiledGeofence[]> {
    if (!this.fences) await this.refresh();
    return this.fences ?? [];
  }

  async refresh(): Promise<void> {
    const change = await this.repository.lastChange();
    if (this.fences && change === this.change) return;
    this.fences = (await this.repository.all()).map(compileGeofence);
    this.change = change;
  }
}
