import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { certificateSeen } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import { LOGGER } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';

const MEMORY_CERTIFICATES = 200_000;
const BATCH = 500;
const PURGE_MS = 3_600_000;

interface Sighting {
  readonly thumbprint: Thumbprint;
  readonly deviceId: DeviceId;
  readonly notAfter: Date;
  readonly seenAt: Date;
}

/**
 * Tells provisioning once of each certificate's first use. No token waits for it: a first use that could not be written is
 * noted again with the vehicle's next token, and the overlap of two certificates then lasts that much longer.
 */
@Injectable()
export class CertificateSeenService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly seen = new LRUCache<Thumbprint, true>({ max: MEMORY_CERTIFICATES });
  private readonly waiting = new Map<Thumbprint, Sighting>();
  private writing: Promise<void> | undefined;
  private purgeTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.purgeTimer = setInterval(() => void this.purge(), PURGE_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.purgeTimer);
    await this.writing;
  }

  note(sighting: Sighting): void {
    if (this.seen.has(sighting.thumbprint) || this.waiting.has(sighting.thumbprint)) return;
    this.waiting.set(sighting.thumbprint, sighting);
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
    });
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const batch = [...this.waiting.values()].slice(0, BATCH);
      try {
        await this.database.transaction((tx) => this.write(tx, batch));
        for (const { thumbprint } of batch) this.seen.set(thumbprint, true);
      } catch (error) {
        this.logger.warn({ err: error, certificates: batch.length }, 'first uses of certificates are not recorded yet');
      }
      for (const { thumbprint } of batch) this.waiting.delete(thumbprint);
    }
  }

  private async write(tx: EntityManager, batch: readonly Sighting[]): Promise<void> {
    const fresh: { thumbprint: Thumbprint }[] = await tx.query(
      `INSERT INTO certificates_seen (thumbprint, device_id, not_after, seen_at)
       SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
       ON CONFLICT DO NOTHING RETURNING thumbprint`,
      [
        batch.map((s) => s.thumbprint),
        batch.map((s) => s.deviceId),
        batch.map((s) => s.notAfter),
        batch.map((s) => s.seenAt),
      ],
    );
    const first = new Set(fresh.map((row) => row.thumbprint));
    const messages = batch
      .filter(({ thumbprint }) => first.has(thumbprint))
      .map(({ deviceId, thumbprint, seenAt }) =>
        outboxMessage(certificateSeen, { deviceId, thumbprint, seenAt: seenAt.toISOString() }, deviceId),
      );
    await this.outbox.addAll(tx, messages);
  }

  /** A certificate that ended a day ago cannot be used again. */
  private async purge(): Promise<void> {
    await this.database
      .query(`DELETE FROM certificates_seen WHERE not_after < now() - interval '1 day'`)
      .catch((error) => this.logger.warn({ err: error }, 'certificates seen are not purged'));
  }
}
