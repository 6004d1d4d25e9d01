/** The suite with what a revocation is seen by: an instance that watches the bucket, and the services that tell of certificates. */
import type { NatsConnection } from '@nats-io/transport-node';
import { type CertificateRef, certificateEnrolled, certificateIssued } from '@outrider/contracts';
import type pg from 'pg';
import { publishEvent, type Suite, startInstance, startSuite, until, vehicle } from '../suite.fixture.js';

export type Party = Awaited<ReturnType<typeof vehicle>>;

export interface Revoking {
  readonly suite: Suite;
  readonly instance: Awaited<ReturnType<typeof startInstance>>;
  readonly ca: NatsConnection;
  readonly provisioning: NatsConnection;
  readonly admin: pg.Client;
  /** A certificate that revocation has heard of. */
  enrolled(name: string, renewedFrom?: string): Promise<Party>;
  /** That revocation has heard of, nothing more: rows, for many at once. */
  known(refs: readonly CertificateRef[]): Promise<void>;
  /** What the instance last saw under this key of the bucket. */
  lastOf(key: string): Record<string, unknown> | undefined;
  stop(): Promise<void>;
}

export async function startRevoking(): Promise<Revoking> {
  const suite = await startSuite();
  const instance = await startInstance(suite.nats, 'telemetry', 'telemetry-00000001');
  const [ca, provisioning] = (await Promise.all(
    ['fleet-ca', 'provisioning'].map((user) => suite.nats.connectAs(user)),
  )) as [NatsConnection, NatsConnection];
  const admin = await suite.database.admin();
  await until(() => instance.seen.some(({ key }) => key === 'heartbeat'));
  return {
    suite,
    instance,
    ca,
    provisioning,
    admin,
    enrolled: async (name, renewedFrom) => {
      const party = await vehicle(suite.fleet, name);
      const { ref } = party;
      const at = new Date().toISOString();
      await publishEvent(ca, certificateIssued, { profile: 'vehicle', requestedBy: 'provisioning', ref, issuedAt: at });
      const event = { ref, ...(renewedFrom ? { renewedFrom } : {}), enrolledAt: at };
      await publishEvent(provisioning, certificateEnrolled, event, name);
      const known = 'SELECT 1 FROM certificates WHERE thumbprint = $1 AND renewed_from IS NOT DISTINCT FROM $2';
      await until(async () => (await admin.query(known, [ref.thumbprint, renewedFrom ?? null])).rowCount === 1);
      return party;
    },
    known: async (refs) => {
      await admin.query(
        `INSERT INTO certificates (thumbprint, issuer_key_id, serial_number, key_thumbprint, device_id, not_before, not_after)
         SELECT * FROM jsonb_to_recordset($1::jsonb) AS r ("thumbprint" text, "issuerKeyId" text, "serialNumber" text,
           "keyThumbprint" text, "deviceId" text, "notBefore" timestamptz, "notAfter" timestamptz)`,
        [JSON.stringify(refs)],
      );
    },
    lastOf: (key) => instance.seen.filter((record) => record.key === key).at(-1)?.value,
    stop: async () => {
      await instance.stop();
      await Promise.all([ca, provisioning].map((connection) => connection.close()));
      await admin.end();
      await suite.stop();
    },
  };
}
