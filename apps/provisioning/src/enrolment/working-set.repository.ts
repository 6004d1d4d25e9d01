import { Injectable } from '@nestjs/common';
import { certificateEnrolled, certificateSuperseded } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database, Outbox, outboxMessage } from '@outrider/platform/postgres';
import type { EntityManager, ObjectLiteral, ObjectType } from 'typeorm';
import { CertificateRow } from '../certificate/certificate.entity.js';
import { certificateRef } from '../certificate/certificate.js';
import { DeviceRow } from '../device/device.entity.js';
import type { KeyUse } from './decision.js';
import { type SigningRequest, WorkingSet } from './working-set.js';

/** An unanswered request is taken up again this long; after it the certificate would start its life too old. */
const OPEN_MS = 300_000;

/** What a request is looked up by once its device is known. */
export interface Subject {
  readonly deviceId: DeviceId;
  readonly keyThumbprint: string;
  readonly askedBy: Thumbprint;
}

export interface FactoryIdentity {
  readonly manufacturer: string;
  readonly serialNumber: string;
}

/** Set-based reads and writes of enrolment: a statement each, however many requests share the transaction. */
@Injectable()
export class WorkingSets {
  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
  ) {}

  /** Locks the devices in the order of their ids, as everything that locks several does. */
  async lockDevices(
    tx: EntityManager,
    deviceIds: readonly DeviceId[],
    identities: readonly FactoryIdentity[],
  ): Promise<DeviceRow[]> {
    const rows = await tx.query(LOCK_DEVICES, [
      deviceIds,
      identities.map(({ manufacturer }) => manufacturer),
      identities.map(({ serialNumber }) => serialNumber),
    ]);
    return this.entities(DeviceRow, rows);
  }

  /**
   * Keys before devices, everywhere: of two devices that bring one key at the same time the second waits, and then finds it spent.
   */
  async lockKeys(tx: EntityManager, keyThumbprints: readonly string[]): Promise<void> {
    await tx.query(LOCK_KEYS, [keyThumbprints]);
  }

  /** @param requestIds answered or not; undefined: those that are open. */
  async load(
    tx: EntityManager,
    subjects: readonly Subject[],
    requestIds: readonly string[] | undefined,
    now: Date,
  ): Promise<WorkingSet<CertificateRow>> {
    const deviceIds = [...new Set(subjects.map(({ deviceId }) => deviceId))];
    const askedBy = subjects.map((one) => one.askedBy);
    const held = this.entities(CertificateRow, await tx.query(HELD, [deviceIds, now, askedBy]));
    const uses: { key: string; device: DeviceId; holders: DeviceId[]; revoked: boolean }[] = await tx.query(KEYS, [
      subjects.map(({ keyThumbprint }) => keyThumbprint),
      subjects.map(({ deviceId }) => deviceId),
    ]);
    const keys = new Map<string, KeyUse>(uses.map(({ key, device, ...use }) => [`${key} ${device}`, use]));
    const requests: SigningRequest[] = requestIds
      ? await tx.query(REQUESTS_BY_ID, [requestIds])
      : await tx.query(OPEN_REQUESTS, [deviceIds, new Date(now.getTime() - OPEN_MS)]);
    return new WorkingSet({ held, keys, requests });
  }

  /** Writes what changed, and tells of it. */
  async save(tx: EntityManager, set: WorkingSet<CertificateRow>, now: Date): Promise<void> {
    if (set.newCertificates.length > 0) {
      await tx.query(INSERT_CERTIFICATES, [this.json(CertificateRow, set.newCertificates)]);
    }
    const changed = [...set.changedCertificates];
    if (changed.length > 0) await tx.query(UPDATE_CERTIFICATES, [this.json(CertificateRow, changed)]);
    if (set.newRequests.length > 0) await tx.query(INSERT_REQUESTS, [requestsJson(set.newRequests)]);
    if (set.answeredRequests.length > 0) {
      await tx.query(ANSWER_REQUESTS, [
        set.answeredRequests.map(({ requestId }) => requestId),
        set.answeredRequests.map(({ thumbprint }) => thumbprint),
      ]);
    }
    await this.outbox.addAll(tx, [
      ...set.newCertificates.map((row) => enrolledMessage(row, now)),
      ...set.superseded.map((row) => supersededMessage(row, now)),
    ]);
  }

  /** Forgets what was asked before then. */
  async forget(before: Date): Promise<void> {
    await this.database.query('DELETE FROM signing_requests WHERE created_at < $1', [before]);
  }

  private entities<E extends ObjectLiteral>(type: ObjectType<E>, rows: readonly ObjectLiteral[]): E[] {
    const { columns } = this.database.dataSource.getMetadata(type);
    return rows.map((row) => {
      const entity = new (type as new () => E)();
      for (const { propertyName, databaseName } of columns) {
        (entity as ObjectLiteral)[propertyName] = row[databaseName];
      }
      return entity;
    });
  }

  private json<E extends ObjectLiteral>(type: ObjectType<E>, entities: readonly E[]): string {
    const { columns } = this.database.dataSource.getMetadata(type);
    return JSON.stringify(
      entities.map((entity) =>
        Object.fromEntries(columns.map((c) => [c.databaseName, jsonValue(entity[c.propertyName])])),
      ),
    );
  }
}

function jsonValue(value: unknown): unknown {
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value;
}

function requestsJson(requests: readonly SigningRequest[]): string {
  return JSON.stringify(
    requests.map((one) => ({
      request_id: one.requestId,
      device_id: one.deviceId,
      key_thumbprint: one.keyThumbprint,
      asked_by: one.askedBy,
      operation: one.operation,
      label: one.label,
      profile: one.profile,
      authority: one.authority,
      csr: jsonValue(one.csr),
      csr_sha256: one.csrSha256,
      lifetime_seconds: one.lifetimeSeconds,
      created_at: one.createdAt,
      thumbprint: one.thumbprint,
    })),
  );
}

function supersededMessage(row: CertificateRow, now: Date) {
  const payload = {
    ref: certificateRef(row),
    supersededBy: row.supersededBy as Thumbprint,
    supersededAt: now.toISOString(),
  };
  return outboxMessage(certificateSuperseded, payload, row.deviceId);
}

function enrolledMessage(row: CertificateRow, now: Date) {
  const renewedFrom = row.operation === 're-enrol' ? { renewedFrom: row.askedBy } : {};
  const payload = { ref: certificateRef(row), ...renewedFrom, enrolledAt: now.toISOString() };
  return outboxMessage(certificateEnrolled, payload, row.deviceId);
}

const LOCK_DEVICES = `
  SELECT * FROM devices WHERE device_id IN (
    SELECT unnest($1::text[])
    UNION
    SELECT d.device_id FROM unnest($2::text[], $3::text[]) AS i(manufacturer, serial_number)
      JOIN devices d ON d.manufacturer = i.manufacturer AND d.serial_number = i.serial_number)
  ORDER BY device_id FOR UPDATE`;

const LOCK_KEYS = `
  SELECT pg_advisory_xact_lock(hash) FROM (
    SELECT DISTINCT hashtextextended(key, 1) AS hash FROM unnest($1::text[]) AS k(key) ORDER BY hash) AS hashes`;

const HELD = `
  SELECT * FROM certificates WHERE thumbprint IN (
    SELECT thumbprint FROM certificates WHERE device_id = ANY($1) AND not_after > $2
    UNION
    SELECT newest.thumbprint FROM unnest($1::text[]) AS d(id), LATERAL (
      SELECT thumbprint FROM certificates WHERE device_id = d.id ORDER BY created_at DESC LIMIT 1) AS newest
    UNION
    -- A lapsed one that asks within the grace must find what was used after it, lapsed too or not.
    SELECT used.thumbprint FROM unnest($1::text[]) AS d(id), LATERAL (
      SELECT thumbprint FROM certificates WHERE device_id = d.id AND first_seen_at IS NOT NULL
      ORDER BY created_at DESC LIMIT 1) AS used
    UNION
    SELECT unnest($3::text[]))
  ORDER BY created_at`;

/**
 * Five holders are enough to name. What was superseded by no other was ended by an operator's word (a sale, an order): its key may be
 * with whoever had the vehicle before, and is as good as revoked.
 */
const KEYS = `
  SELECT DISTINCT asked.key, asked.device,
    ARRAY(SELECT DISTINCT c.device_id FROM certificates c
      WHERE c.key_thumbprint = asked.key AND c.device_id <> asked.device LIMIT 5) AS holders,
    EXISTS (SELECT FROM certificates c WHERE c.key_thumbprint = asked.key
      AND (c.status = 'revoked' OR (c.status = 'superseded' AND c.superseded_by IS NULL))) AS revoked
  FROM unnest($1::text[], $2::text[]) AS asked(key, device)`;

const REQUEST_COLUMNS = `request_id AS "requestId", device_id AS "deviceId", operation, asked_by AS "askedBy",
  key_thumbprint AS "keyThumbprint", label, profile, authority, csr, csr_sha256 AS "csrSha256",
  lifetime_seconds AS "lifetimeSeconds", created_at AS "createdAt", thumbprint`;
const OPEN_REQUESTS = `SELECT ${REQUEST_COLUMNS} FROM signing_requests
  WHERE device_id = ANY($1) AND thumbprint IS NULL AND created_at > $2 ORDER BY created_at DESC`;
const REQUESTS_BY_ID = `SELECT ${REQUEST_COLUMNS} FROM signing_requests WHERE request_id = ANY($1)`;

const INSERT_CERTIFICATES = `INSERT INTO certificates SELECT * FROM jsonb_populate_recordset(NULL::certificates, $1::jsonb)`;
const UPDATE_CERTIFICATES = `
  UPDATE certificates c SET status = u.status, first_seen_at = u.first_seen_at, overlap_ends_at = u.overlap_ends_at,
    superseded_by = u.superseded_by, superseded_at = u.superseded_at
  FROM jsonb_populate_recordset(NULL::certificates, $1::jsonb) u WHERE c.thumbprint = u.thumbprint`;
const INSERT_REQUESTS = `INSERT INTO signing_requests SELECT * FROM jsonb_populate_recordset(NULL::signing_requests, $1::jsonb)`;
const ANSWER_REQUESTS = `
  UPDATE signing_requests r SET thumbprint = a.thumbprint
  FROM unnest($1::uuid[], $2::text[]) AS a(request_id, thumbprint) WHERE r.request_id = a.request_id`;
