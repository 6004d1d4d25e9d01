import { readFileSync } from 'node:fs';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { documentTag, type IfMatch, requireMatch } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import type { Logger } from 'pino';
import { type EntityManager, IsNull, Not } from 'typeorm';
import type { Config } from '../config.js';
import { DeviceRow } from '../device/device.entity.js';
import { FleetTrust } from '../est/fleet-trust.store.js';
import { ManufacturerRow } from './manufacturer.entity.js';
import { acceptAnchors, type Manufacturer, ManufacturerName } from './manufacturer.js';
import { manufacturerDocument } from './manufacturer-document.js';

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
      // What an operator took out, a restart does not bring back.
      if (await this.wasRemoved(name)) this.logger.warn({ manufacturer: name }, 'removed by an operator, and stays so');
      else await this.put(name, readFileSync(caFile, 'utf8'), undefined, 'configuration', new Date());
    }
  }

  async all(): Promise<Manufacturer[]> {
    return (await this.rows()).map((row) => this.fromRow(row));
  }

  async rows(): Promise<ManufacturerRow[]> {
    return this.database.transaction((tx) => tx.find(ManufacturerRow, { where: PRESENT, order: { name: 'ASC' } }));
  }

  /** Errors: `provisioning.manufacturer_not_found`. */
  async mustFind(name: ManufacturerName): Promise<ManufacturerRow> {
    return this.database.transaction((tx) => mustFind(tx, name));
  }

  /** Errors: `request.precondition_failed`, `provisioning.manufacturer_invalid`, `provisioning.manufacturer_conflict`. */
  async put(name: ManufacturerName, pem: string, ifMatch: IfMatch, who: string, now: Date): Promise<PutOutcome> {
    return this.database.transaction(async (tx) => {
      await writeAlone(tx);
      const rows = await tx.find(ManufacturerRow, { where: PRESENT });
      const before = rows.find((row) => row.name === name);
      requireMatch(ifMatch, before && tagOf(before));
      acceptAnchors(
        name,
        pem,
        this.trust.all,
        rows.map((row) => this.fromRow(row)),
      );
      if (before?.ca === pem) return { row: before, created: false };
      const row = { name, ca: pem, createdAt: before?.createdAt ?? now, changedAt: now, removedAt: null };
      await tx.upsert(ManufacturerRow, row, ['name']);
      await remember(tx, row, before ? 'changed' : 'registered', who, now);
      return { row, created: !before };
    });
  }

  /**
   * Its factory certificates let nobody in from now on; fleet certificates of its devices go on. The row and its history stay.
   * Errors: `provisioning.manufacturer_not_found`, `request.precondition_failed`, `provisioning.manufacturer_in_use` where devices are in service and not `force`.
   */
  async remove(name: ManufacturerName, force: boolean, ifMatch: IfMatch, who: string, now: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      await writeAlone(tx);
      const row = await mustFind(tx, name);
      requireMatch(ifMatch, tagOf(row));
      if (!force && (await tx.existsBy(DeviceRow, { manufacturer: name, state: Not('retired') }))) {
        throw new DomainError('provisioning.manufacturer_in_use', {
          detail: `${name}; ?force=true removes it all the same`,
        });
      }
      await tx.update(ManufacturerRow, { name }, { removedAt: now });
      await remember(tx, row, 'removed', who, now);
    });
  }

  async mustExist(tx: EntityManager, names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      if (await tx.existsBy(ManufacturerRow, { name, ...PRESENT })) continue;
      throw new DomainError('provisioning.manufacturer_not_found', { detail: `register ${name} first` });
    }
  }

  /** Who is registered. */
  async names(tx: EntityManager): Promise<ReadonlySet<string>> {
    return new Set(
      (await tx.find(ManufacturerRow, { select: { name: true }, where: PRESENT })).map(({ name }) => name),
    );
  }

  private wasRemoved(name: ManufacturerName): Promise<boolean> {
    return this.database.transaction((tx) => tx.existsBy(ManufacturerRow, { name, removedAt: Not(IsNull()) }));
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

const PRESENT = { removedAt: IsNull() };

function tagOf(row: ManufacturerRow): string {
  return documentTag(manufacturerDocument(row));
}

async function mustFind(tx: EntityManager, name: ManufacturerName): Promise<ManufacturerRow> {
  const row = await tx.findOneBy(ManufacturerRow, { name, ...PRESENT });
  if (!row) throw new DomainError('provisioning.manufacturer_not_found', { detail: name });
  return row;
}

/** One writer at a time, so that no two names get the same CA. */
async function writeAlone(tx: EntityManager): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('provisioning.manufacturers', 0))`);
}

async function remember(
  tx: EntityManager,
  { name, ca }: Pick<ManufacturerRow, 'name' | 'ca'>,
  event: 'registered' | 'changed' | 'removed',
  who: string,
  now: Date,
): Promise<void> {
  await tx.query('INSERT INTO manufacturer_history (name, event, ca, who, at) VALUES ($1, $2, $3, $4, $5)', [
    name,
    event,
    ca,
    who,
    now,
  ]);
}
