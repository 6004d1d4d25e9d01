/** The ground that the specs of offline logs share: two instances, an operator, and vehicles whose window is somewhere. */
import { expect } from '@jest/globals';
import {
  type Ground,
  httpsRequest,
  prepareGround,
  type Service,
  startService,
  TestVehicle,
} from '../telemetry.fixture.js';
import type { OrderView } from './fetch-order.js';
import { type DeliveryBody, type SegmentBody, TestLog } from './offline-log.fixture.js';

export const UPLOADS = '/v1/telemetry/offline-logs';
export const now = () => Math.floor(Date.now() / 1000);

export class LogGround {
  private constructor(
    readonly ground: Ground,
    readonly service: Service,
    readonly second: Service,
  ) {}

  static async start(): Promise<LogGround> {
    const ground = await prepareGround();
    const [service, second] = await Promise.all([startService(ground, 1), startService(ground, 2)]);
    return new LogGround(ground, service, second);
  }

  async stop(): Promise<void> {
    await this.ground.stop();
  }

  query<R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return this.ground.query<R>(sql, values);
  }

  logged({ deviceId }: TestVehicle) {
    return this.query<{ seq: number; standing: string }>(
      'SELECT seq::int AS seq, standing FROM log_records WHERE device_id = $1 ORDER BY epoch, seq',
      [deviceId],
    );
  }

  segmentsOf({ deviceId }: TestVehicle) {
    return this.query<object>(
      'SELECT segment::int, signer, standing FROM log_segments WHERE device_id = $1 ORDER BY 1',
      [deviceId],
    );
  }

  findingsOf({ deviceId }: TestVehicle) {
    return this.query<object>('SELECT kind, detail FROM findings WHERE device_id = $1 ORDER BY found_at', [deviceId]);
  }

  operator(method: string, path: string, body?: unknown, scope = 'device:write device:read') {
    const token = this.ground.authority.operatorToken(scope);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${token}`, ...type };
    const options = { method, ca: this.ground.fleet.root.certificatePem, headers };
    return httpsRequest(
      this.service.operatorUrl + path,
      options,
      body === undefined ? undefined : JSON.stringify(body),
    );
  }

  vehicle(name: string): Promise<TestVehicle> {
    return this.ground.vehicle(name);
  }

  /** A vehicle whose live window stands at `highest`, and a log for the numbers below that never came. */
  async car(name: string, highest = 100): Promise<{ vehicle: TestVehicle; log: TestLog }> {
    const vehicle = await this.vehicle(name);
    expect((await vehicle.post(this.service, vehicle.message(highest))).status).toBe(200);
    return { vehicle, log: new TestLog(vehicle.deviceId, vehicle.party.privateKey) };
  }

  async order(vehicle: TestVehicle, ranges: [number, number][]): Promise<OrderView> {
    const path = `/v1/devices/${vehicle.deviceId}/fetch-orders`;
    const { status, body } = await this.operator('POST', path, { ranges, reason: 'a look at a tunnel' });
    expect(status).toBe(201);
    return body as OrderView;
  }

  async begin(vehicle: TestVehicle, asked: OrderView): Promise<string> {
    const { status, body } = await vehicle.ask(this.service, 'POST', UPLOADS, { order: asked.id });
    expect({ status, body }).toMatchObject({ status: 200, body: { order: asked.id } });
    return body.upload as string;
  }

  /** Begin, append, finish; gives the first answer that is none of 200, or the last. */
  async upload(vehicle: TestVehicle, asked: OrderView, segments: SegmentBody[], delivery: DeliveryBody) {
    const id = await this.begin(vehicle, asked);
    for (const [part, segment] of segments.entries()) {
      const answer = await vehicle.ask(this.service, 'PUT', `${UPLOADS}/${id}/segments/${part}`, segment);
      if (answer.status !== 200) return answer;
    }
    return vehicle.ask(this.service, 'POST', `${UPLOADS}/${id}/finish`, delivery);
  }
}
