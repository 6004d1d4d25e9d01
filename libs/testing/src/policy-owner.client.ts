import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceContext, deviceContextGet, POLICIES_BUCKET, POLICIES_KEY } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { issueService, type TestFleet } from './fleet.js';
import type { TestNats } from './nats.client.js';

const SHIPPED = join(import.meta.dirname, '../../../policies');

/** Stands in for gateway, on the real NATS under its own user: the policies in force, and what is known of vehicles. */
export interface TestPolicyOwner {
  /** Vehicles that were asked about. */
  readonly asked: string[];
  /** Answers nothing while true. */
  away: boolean;
  /** What it says of a vehicle; without a word it is active, and nothing more is known. */
  tell(deviceId: string, context: Partial<DeviceContext>): void;
  /** Puts the shipped policies in force, each time in a newer version, with `more` (texts by id) beside them. */
  publish(more?: Readonly<Record<string, string>>): void;
  stop(): Promise<void>;
}

export async function startPolicyOwner(nats: TestNats, fleet: TestFleet): Promise<TestPolicyOwner> {
  const [connection, gateway] = await Promise.all([nats.connectAs('gateway'), issueService(fleet, 'gateway')]);
  const told = new Map<string, Partial<DeviceContext>>();
  const x5c = [Buffer.from(gateway.certificate.der).toString('base64')];
  let version = 0;
  const owner: TestPolicyOwner = {
    asked: [],
    away: false,
    tell: (deviceId, context) => void told.set(deviceId, context),
    publish: (more = {}) => {
      version += 1;
      const { schema, policies } = shipped();
      const inForce = { version, schema, policies: { ...policies, ...more }, issuedAt: new Date().toISOString() };
      const jws = signJws({
        header: { typ: JWS_TYP.policies, x5c },
        payload: JSON.stringify(inForce),
        key: gateway.privateKey,
      });
      connection.publish(`$KV.${POLICIES_BUCKET.name}.${POLICIES_KEY}`, jws);
    },
    stop: () => connection.close(),
  };
  connection.subscribe(deviceContextGet.subject, {
    callback: (_error, msg) => {
      const { deviceId } = msg.json<{ deviceId: string }>();
      owner.asked.push(deviceId);
      if (!owner.away) msg.respond(JSON.stringify({ ok: { ...NOTHING_SPECIAL, ...told.get(deviceId) } }));
    },
  });
  return owner;
}

const NOTHING_SPECIAL: DeviceContext = {
  state: 'active',
  attestation: 'none',
  labels: [],
  timeZone: 'UTC',
  geofences: [],
  outsideGeofence: false,
};

function shipped() {
  const names = readdirSync(SHIPPED).filter((name) => name.endsWith('.cedar'));
  const text = (name: string) => readFileSync(join(SHIPPED, name), 'utf8');
  return {
    schema: text('schema.cedarschema'),
    policies: Object.fromEntries(names.map((name) => [name.slice(0, -'.cedar'.length), text(name)])),
  };
}
