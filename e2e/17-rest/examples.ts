/** Good requests: of each operation that changes something, by its id, on devices and names that nobody else has. */
import { randomUUID } from 'node:crypto';

export interface Example {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Path parameters, over the usual ones. */
  readonly path?: Readonly<Record<string, string>>;
  /** Where the document allows more than one outcome. */
  readonly status?: readonly number[];
}

export interface Ground {
  /** A registered device that never enrols. */
  readonly device: string;
  /** One to be registered, changed and retired. */
  readonly throwaway: string;
  readonly manufacturer: string;
  readonly geofence: string;
  readonly ca: string;
  /** Of things that others have made: ids by what they are of. */
  readonly ids: Readonly<Record<string, string>>;
}

/** Members of paths that mean the same everywhere. */
export function parametersOf({ device, ids }: Ground, operationId: string): Record<string, string> {
  const own: Readonly<Record<string, Record<string, string>>> = {
    'provisioning.devices': { id: device },
    'provisioning.history': { id: device },
    'provisioning.lifecycle': { id: device },
    'provisioning.orders.request': { id: device },
    'provisioning.orders': { id: ids.order ?? randomUUID() },
    'provisioning.rotations': { id: ids.rotation ?? randomUUID() },
    'provisioning.imports': { id: ids.import ?? 'no-import' },
    'token.elevations': { id: ids.elevation ?? randomUUID() },
    'token.operatorAccounts': { id: ids.account ?? randomUUID() },
    'command.batches': { id: ids.batch ?? randomUUID() },
    'command.commands': { id: ids.command ?? randomUUID() },
    'command.audit': { id: ids.command ?? randomUUID() },
    'revocation.jobs': { id: ids.job ?? randomUUID() },
  };
  const [service, noun] = operationId.split('.');
  return { device, ...(own[`${service}.${noun}`] ?? {}), ...(own[operationId] ?? {}) };
}

export function examplesOf(ground: Ground): Readonly<Record<string, Example>> {
  const { device, throwaway, manufacturer, geofence, ca } = ground;
  const reason = 'a test of the description of the APIs';
  const key = () => ({ 'idempotency-key': randomUUID() });
  const command = { name: 'honk', parameters: { times: 1 } };
  const area = {
    type: 'Polygon',
    coordinates: [
      [
        [11, 48],
        [11.1, 48],
        [11.1, 48.1],
        [11, 48],
      ],
    ],
  };
  return {
    'provisioning.devices.register': {
      body: { device_id: throwaway, manufacturer, serial_number: throwaway },
      status: [201],
    },
    'provisioning.devices.change': { body: { labels: ['rest'] }, status: [200] },
    'provisioning.lifecycle.report': {
      path: { id: throwaway },
      body: { event: 'workshop', reason },
      status: [200],
    },
    'provisioning.lifecycle.retire': { path: { id: throwaway }, body: { reason }, status: [200] },
    'provisioning.orders.request': { body: { kind: 'recovery', reason }, status: [201, 409] },
    'provisioning.manufacturers.put': {
      path: { name: `rest-${throwaway}`.slice(0, 40) },
      body: { ca },
      status: [200, 201, 409],
    },
    'provisioning.manufacturers.remove': { path: { name: `rest-${throwaway}`.slice(0, 40) }, status: [204, 404] },
    'provisioning.rotations.start': {
      body: { label: `none-${throwaway}`.slice(0, 60), within_seconds: 3600, reason },
      status: [409, 422, 404],
    },
    'provisioning.imports.put': {
      path: { id: `rest-${throwaway}`.slice(0, 40) },
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify({ device_id: `${throwaway}-b`, manufacturer, serial_number: `${throwaway}-b` })}\n`,
      status: [200],
    },
    'command.commands.send': { body: command, headers: key(), status: [202, 409, 404, 403, 422] },
    'command.batches.preview': {
      body: { ...command, target: { devices: [device] } },
      status: [200, 403, 404, 409, 422],
    },
    'command.batches.request': {
      body: { ...command, target: { devices: [device] } },
      headers: key(),
      status: [202, 403, 404, 409, 422],
    },
    'gateway.geofences.put': { path: { name: geofence }, body: { area }, status: [200] },
    'gateway.geofences.show': { path: { name: geofence }, status: [200] },
    'gateway.geofences.remove': { path: { name: geofence }, status: [204] },
    'gateway.block.block': { body: { device_id: device, reason, expires_in: 60 }, status: [200] },
    'gateway.block.unblock': { body: { device_id: device, reason }, status: [200] },
    'revocation.revoke.revoke': {
      body: { device_id: device, reason: 'superseded', dry_run: true },
      status: [200, 404],
    },
    'revocation.release.release': { body: { device_id: device, note: reason, dry_run: true }, status: [200, 404, 409] },
    'telemetry.epochOrders.open': { body: { reason }, status: [200, 404] },
    'telemetry.epochOrders.openAll': { body: { devices: [device], reason }, status: [200, 404] },
    'telemetry.fetchOrders.issue': {
      body: { stream: 'main', epoch: 0, ranges: [[1, 2]], reason },
      status: [201, 400, 404, 409],
    },
    'token.elevations.request': {
      body: { scope: 'policy:write', reason, duration_seconds: 300 },
      status: [201, 429, 409],
    },
    'token.elevations.revoke': { body: { reason }, status: [200, 404, 409] },
    'token.operatorAccounts.change': { body: {}, status: [200, 400, 403, 404] },
  };
}
