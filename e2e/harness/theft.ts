/** What a thief has: connections that were opened before, and new ones; and when each stopped being of use. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { at, endpoints, VEHICLE_SERVICES } from './endpoints.js';
import { newKey, newRequest } from './openssl.js';
import { sleep } from './until.js';
import type { Vehicle } from './vehicle.js';

export type VehicleService = (typeof VEHICLE_SERVICES)[number];

const trust = readFileSync(endpoints.trust.server);

function tlsOptions(vehicle: Vehicle, service: VehicleService) {
  const url = new URL(at(service, 'vehicle'));
  const [cert, key] = [readFileSync(vehicle.certificate), readFileSync(vehicle.key)];
  return { host: url.hostname, port: Number(url.port), ca: trust, cert, key };
}

export interface OpenConnection {
  readonly service: VehicleService;
  /** The monotonic moment (`performance.now()`) at which the service closed it. */
  readonly closed: Promise<number>;
  readonly isOpen: () => boolean;
  close(): void;
}

/** A connection that has carried one request and is kept alive. */
export async function openConnection(vehicle: Vehicle, service: VehicleService): Promise<OpenConnection> {
  const socket: TLSSocket = connect(tlsOptions(vehicle, service));
  const closed = new Promise<number>((done) => socket.once('close', () => done(performance.now())));
  socket.on('error', () => {});
  const answered = new Promise<void>((done, failed) => {
    socket.once('data', () => done());
    socket.once('close', () => failed(new Error(`${service} closed a good connection`)));
  });
  socket.write('GET /.well-known/nothing HTTP/1.1\r\nHost: vehicle\r\n\r\n');
  await answered;
  return { service, closed, isOpen: () => !socket.destroyed, close: () => socket.destroy() };
}

/** What a thief may still ask, with tokens fetched before. */
export interface Loot {
  readonly telemetry: string;
  readonly control: string;
  readonly renewal: string;
}

export async function loot(vehicle: Vehicle): Promise<Loot> {
  const key = await newKey(`${vehicle.id}-thief.key`, 'P-256');
  const [telemetry, control, renewal] = await Promise.all([
    vehicle.token('telemetry:write'),
    vehicle.token('command:receive command:critical'),
    newRequest(key, `/CN=${vehicle.id}`),
  ]);
  return { telemetry, control, renewal };
}

/** One good request of each service, on a connection of its own. */
function ask(vehicle: Vehicle, service: VehicleService, { telemetry, control, renewal }: Loot): Promise<Attempt> {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const requests = {
    provisioning: ['POST', '/.well-known/est/simplereenroll', { 'content-type': 'application/pkcs10' }, renewal],
    token: ['POST', '/oauth2/token', form, `grant_type=client_credentials&client_id=${vehicle.id}`],
    telemetry: ['GET', '/v1/telemetry/window', { authorization: `Bearer ${telemetry}` }, ''],
    command: ['GET', '/v1/commands/next?wait=0', { authorization: `Bearer ${control}` }, ''],
  } as const;
  const [method, path, headers, body] = requests[service];
  return new Promise((done) => {
    const call = request({ ...tlsOptions(vehicle, service), agent: false, method, path, headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      answer.on('end', () => done({ status: answer.statusCode ?? 0, code: codeOf(text) }));
    });
    call.on('error', (error: NodeJS.ErrnoException) => done({ status: 0, code: error.code ?? error.message }));
    call.end(body);
  });
}

export interface Attempt {
  /** 0: no answer at all. */
  readonly status: number;
  readonly code: string | undefined;
}

/** Each protocol's own error shape. */
function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { code?: string }).code;
  } catch {
    return /^([a-z]+\.[a-z_]+): /.exec(text)?.[1];
  }
}

export function attempt(vehicle: Vehicle, goods: Loot): Promise<Record<VehicleService, Attempt>> {
  return onEach((service) => ask(vehicle, service, goods));
}

export interface Refused extends Attempt {
  /** The start of the first refused request, ms after `sinceMs`; every later one was refused too. */
  readonly ms: number;
}

/** Asks every service over and over until each refuses; then once more, since a refusal must last. */
export function refusals(
  vehicle: Vehicle,
  goods: Loot,
  sinceMs: number,
  withinMs = 5000,
): Promise<Record<VehicleService, Refused>> {
  return onEach(async (service) => {
    for (;;) {
      const ms = performance.now() - sinceMs;
      const seen = await ask(vehicle, service, goods);
      if (isRefused(seen)) {
        const again = await ask(vehicle, service, goods);
        if (!isRefused(again)) throw new Error(`${service} refused once and then answered ${again.status}`);
        return { ...seen, ms };
      }
      if (ms > withinMs) throw new Error(`${service} still answers ${seen.status} after ${Math.round(ms)} ms`);
      await sleep(10);
    }
  });
}

export function isRefused({ status, code }: Attempt): boolean {
  return (status === 401 || status === 403) && code?.startsWith('denylist.') === true;
}

async function onEach<T>(work: (service: VehicleService) => Promise<T>): Promise<Record<VehicleService, T>> {
  const entries = VEHICLE_SERVICES.map(async (service) => [service, await work(service)] as const);
  return Object.fromEntries(await Promise.all(entries)) as Record<VehicleService, T>;
}
