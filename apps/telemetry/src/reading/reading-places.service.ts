import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Metrics } from '@outrider/platform/service';

/** Of one instance, at a time: each costs PostgreSQL and a CPU that vehicles need too. */
const PLACES = { range: 4, verify: 2, tail: 64 } as const;
export type Place = keyof typeof PLACES;
const RETRY_AFTER_SECONDS = 5;

/** How many long answers run at once. */
@Injectable()
export class ReadingPlaces {
  private readonly taken: Record<Place, number> = { range: 0, verify: 0, tail: 0 };

  constructor(metrics: Metrics) {
    const running = metrics.gauge('outrider_telemetry_readers', 'Long answers to operators that run now.', ['kind']);
    Object.assign(running, {
      collect: () => {
        for (const kind of Object.keys(PLACES) as Place[]) running.set({ kind }, this.taken[kind]);
      },
    });
  }

  /** @throws DomainError `service.overloaded` when all are taken */
  async within<T>(kind: Place, work: () => Promise<T>): Promise<T> {
    if (this.taken[kind] >= PLACES[kind]) {
      throw new DomainError('service.overloaded', {
        detail: `${PLACES[kind]} such answers run already`,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.taken[kind] += 1;
    try {
      return await work();
    } finally {
      this.taken[kind] -= 1;
    }
  }
}
