import { readFileSync } from 'node:fs';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import type { Config } from '../config.js';
import { FleetTrust } from '../est/fleet-trust.store.js';
import { ManufacturerRow } from './manufacturer.entity.js';
import { acceptAnchors, type Manufacturer, ManufacturerName } from './manufacturer.js';

export interface PutOutcome {
  readonly row: ManufacturerRow;
  readonly created: boolean;
}

/** The registered manufacturers. Few and seldom changed: read from PostgreSQL on each enrolment, parsed once for each content. */
@Injectable()
export class Manufacturers implements OnApplicationBootstrap {
  private readonly parsed = new Map<string, readonly ParsedCertificate[]>();

  constructor(
    private readonly database: Database,
    private readonly trust: FleetTrust,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const { name, caFile } of this.config.manufacturers) {
      const { created } = await this.put(name, readFileSync(caFile, 'utf8'), new Date());
      this.logger.info({ manufacturer: name, created }, 'manufacturer of the configuration');
    }
  }

  async all(): Promise<Manufacturer[]> {
    return (await this.rows()).map((row) => this.fromRow(row));
  }

  async rows(): Promise<ManufacturerRow[]> {
    return this.database.transaction((tx) => tx.find(ManufacturerRow, { order: { name: 'ASC' } }));
  }

  /** Errors: `provisioning.manufacturer_invalid`, `provisioning.manufacturer_conflict`. */
  async put(name: ManufacturerName, pem: string, now: Date): Promise<PutOutcome> {
    return this.database.transaction(async (tx) => {
      // One writer at a time, so that no two names get the same CA.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('provisioning.manufacturers', 0))`);
      const rows = await tx.find(ManufacturerRow);
      acceptAnchors(
        name,
        pem,
        this.trust.all,
        rows.map((row) => this.fromRow(row)),
      );
      const before = rows.find((row) => row.name === name);
      if (before?.ca === pem) return { row: before, created: false };
      return {
        row: await save(tx, { name, ca: pem, createdAt: before?.createdAt ?? now, changedAt: now }),
        created: !before,
      };
    });
  }

  async mustExist(tx: EntityManager, names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      if (await tx.existsBy(ManufacturerRow, { name })) continue;
      throw new DomainError('provisioning.manufacturer_not_found', { detail: `register ${name} first` });
    }
  }

  private fromRow({ name, ca }: ManufacturerRow): Manufacturer {
    let anchors = this.parsed.get(ca);
    if (!anchors) {
      if (this.parsed.size > 256) this.parsed.clear();
      anchors = parseCertificates(ca);
      this.parsed.set(ca, anchors);
    }
    return { name: ManufacturerName.parse(name), anchors };
  }
}

async function save(tx: EntityManager, row: ManufacturerRow): Promise<ManufacturerRow> {
  await tx.upsert(ManufacturerRow, row, ['name']);
  return row;
}
