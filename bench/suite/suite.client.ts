import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DeviceId } from '@outrider/ids';
import {
  createCertificationRequest,
  DEMO_MANUFACTURER,
  makeFactoryIdentity,
  parseCertsOnlyCms,
  toPem,
} from '@outrider/x509';
import { Agent, Client, request } from 'undici';
import { z } from 'zod';

const Endpoints = z.object({
  trust: z.object({ server: z.string() }),
  factory: z.object({ ca: z.string(), key: z.string() }),
  services: z.record(
    z.string(),
    z.object({ vehicle: z.string().optional(), operator: z.string().optional(), http: z.string() }),
  ),
  operator: z.object({ tokenFile: z.string() }),
});

const State = z.object({ children: z.array(z.object({ name: z.string(), process: z.object({ pid: z.number() }) })) });

/** A vehicle with its fleet certificate; `tls` is what its connections present and believe. */
export interface EnrolledVehicle {
  readonly deviceId: string;
  readonly key: KeyObject;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** A registered vehicle with its factory identity and a request for its first certificate, base64. */
export interface FactoryVehicle {
  readonly deviceId: string;
  readonly certificate: string;
  readonly privateKey: string;
  readonly csr: string;
}

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The running suite, as `.outrider/endpoints.json` describes it. */
export class Suite {
  private readonly ca: string;

  private constructor(
    private readonly endpoints: z.output<typeof Endpoints>,
    private readonly read: (path: string) => string,
    private readonly stateFile: string,
  ) {
    this.ca = read(endpoints.trust.server);
  }

  static find(): Suite {
    const home = process.env.OUTRIDER_HOME ?? resolve(import.meta.dirname, '../../../.outrider');
    const file = process.env.OUTRIDER_ENDPOINTS ?? resolve(home, 'endpoints.json');
    const endpoints = Endpoints.parse(JSON.parse(readFileSync(file, 'utf8')));
    const read = (path: string) => readFileSync(resolve(dirname(dirname(file)), path), 'utf8');
    return new Suite(endpoints, read, resolve(dirname(file), 'run/supervisor.json'));
  }

  /** A metric of the service, summed over its labels that hold `labels`. */
  async metric(service: string, name: string, labels = ''): Promise<number> {
    const { body } = await request(`${this.origin(service, 'http')}/metrics`);
    const lines = (await body.text()).split('\n').filter((line) => line.startsWith(name) && line.includes(labels));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** What the servers of the suite are believed by, and what vouches for demo factory certificates: PEM. */
  get serverCa(): string {
    return this.ca;
  }

  get factoryCa(): string {
    return this.read(this.endpoints.factory.ca);
  }

  /** A path on the service's vehicle listener. */
  url(service: string, path: string): string {
    return `${this.origin(service, 'vehicle')}${path}`;
  }

  /** On its plain listener. */
  httpUrl(service: string, path: string): string {
    return `${this.origin(service, 'http')}${path}`;
  }

  operatorUrl(service: string, path: string): string {
    return `${this.origin(service, 'operator')}${path}`;
  }

  /** The suite's own, as it is in its file now, for `Authorization`. */
  operatorToken(): string {
    return this.bearer();
  }

  /** Every process of the suite, by its name. */
  pids(): ReadonlyMap<string, number> {
    const { children } = State.parse(JSON.parse(readFileSync(this.stateFile, 'utf8')));
    return new Map(children.map(({ name, process: { pid } }) => [name, pid]));
  }

  /** The service's process, as the supervisor wrote it down. */
  pid(service: string): number {
    const state = State.parse(JSON.parse(readFileSync(this.stateFile, 'utf8')));
    const child = state.children.find(({ name }) => name === service);
    if (!child) throw new Error(`${service} does not run`);
    return child.process.pid;
  }

  /** Makes factory identities and requests (P-256, as most vehicles have), and registers the devices: at most 1000. */
  async factoryVehicles(prefix: string, count: number): Promise<FactoryVehicle[]> {
    const { ca, key } = this.endpoints.factory;
    const authority = { certificate: this.read(ca), privateKey: this.read(key) };
    const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const devices: object[] = [];
    const vehicles: FactoryVehicle[] = [];
    for (let n = 0; n < count; n++) {
      const deviceId = DeviceId.parse(`${prefix}-${n}`);
      const factory = await makeFactoryIdentity(deviceId, authority, newKeys(), randomBytes(16), new Date());
      const csr = createCertificationRequest({ subject: deviceId, ...newKeys() });
      const { certificate, privateKey, serialNumber } = factory;
      devices.push({ device_id: deviceId, manufacturer: DEMO_MANUFACTURER, serial_number: serialNumber });
      vehicles.push({ deviceId, certificate, privateKey, csr: Buffer.from(csr).toString('base64') });
    }
    await this.operate('provisioning', '/v1/devices', { devices });
    return vehicles;
  }

  /** Makes a factory identity, registers it and enrols it. `keyType` is that of the fleet certificate's key. */
  async enrolled(deviceId: string, keyType: 'Ed25519' | 'P-256'): Promise<EnrolledVehicle> {
    const { ca, key } = this.endpoints.factory;
    const authority = { certificate: this.read(ca), privateKey: this.read(key) };
    const factoryKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const id = DeviceId.parse(deviceId);
    const factory = await makeFactoryIdentity(id, authority, factoryKeys, randomBytes(16), new Date());
    await this.register(deviceId, factory.serialNumber);
    const keys =
      keyType === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = await this.enrol(deviceId, { cert: factory.certificate, key: factory.privateKey }, keys);
    return { deviceId, key: keys.privateKey, tls: { ca: this.ca, cert, key: pem(keys.privateKey) } };
  }

  /** Of the service's plain listener. */
  httpOrigin(service: string): string {
    return this.origin(service, 'http');
  }

  /** One kept-alive connection of the vehicle to a service. */
  connect(service: string, { tls }: EnrolledVehicle, options: Client.Options = {}): Client {
    return new Client(this.origin(service, 'vehicle'), { ...options, connect: tls });
  }

  /** A POST to a service's operator listener with the suite's own token; the parsed answer. */
  async operate(service: string, path: string, body: object): Promise<unknown> {
    const headers = { 'content-type': 'application/json', authorization: this.bearer() };
    const url = `${this.origin(service, 'operator')}${path}`;
    return JSON.parse(await this.call(url, { ca: this.ca }, { headers, body: JSON.stringify(body) }));
  }

  /** A PUT there of something other than JSON. */
  async put(service: string, path: string, type: string, body: string): Promise<unknown> {
    const headers = { 'content-type': type, authorization: this.bearer() };
    const url = `${this.origin(service, 'operator')}${path}`;
    return JSON.parse(await this.call(url, { ca: this.ca }, { method: 'PUT', headers, body }));
  }

  /** A GET there. */
  async observe(service: string, path: string): Promise<unknown> {
    const url = `${this.origin(service, 'operator')}${path}`;
    return JSON.parse(await this.call(url, { ca: this.ca }, { headers: { authorization: this.bearer() } }));
  }

  /** `over`: kept connections, where a vehicle asks again and again. */
  async token({ deviceId, tls }: EnrolledVehicle, scope: string, over?: Agent): Promise<string> {
    const form = { grant_type: 'client_credentials', client_id: deviceId, scope };
    const options = {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    };
    const answer = await this.call(`${this.origin('token', 'vehicle')}/oauth2/token`, tls, options, over);
    return z.object({ access_token: z.string() }).parse(JSON.parse(answer)).access_token;
  }

  private origin(service: string, listener: 'vehicle' | 'operator' | 'http'): string {
    const url = this.endpoints.services[service]?.[listener];
    if (!url) throw new Error(`${service} has no ${listener} listener`);
    return url.replace(/\/+$/, '');
  }

  private async register(deviceId: string, serialNumber: string): Promise<void> {
    const grants = ['command:receive'];
    const device = { device_id: deviceId, manufacturer: DEMO_MANUFACTURER, serial_number: serialNumber, grants };
    await this.operate('provisioning', '/v1/devices', device);
  }

  private bearer(): string {
    return `Bearer ${this.read(this.endpoints.operator.tokenFile).trim()}`;
  }

  private async enrol(deviceId: string, factory: { cert: string; key: string }, keys: KeyPair): Promise<string> {
    const csr = createCertificationRequest({ subject: deviceId, ...keys });
    const url = `${this.origin('provisioning', 'vehicle')}/.well-known/est/simpleenroll`;
    const answer = await this.call(
      url,
      { ca: this.ca, ...factory },
      {
        headers: { 'content-type': 'application/pkcs10' },
        body: Buffer.from(csr).toString('base64'),
      },
    );
    const [leaf] = parseCertsOnlyCms(Buffer.from(answer, 'base64'));
    return toPem(leaf!, 'CERTIFICATE');
  }

  private async call(
    url: string,
    tls: object,
    options: { method?: 'PUT'; headers: Record<string, string>; body?: string },
    over?: Agent,
  ): Promise<string> {
    const agent = over ?? new Agent({ connect: tls });
    try {
      const { statusCode, body } = await request(url, {
        method: options.body === undefined ? 'GET' : 'POST',
        dispatcher: agent,
        ...options,
      });
      const text = await body.text();
      if (statusCode >= 300) throw new Error(`${url}: ${statusCode} ${text.slice(0, 300)}`);
      return text;
    } finally {
      if (!over) await agent.close();
    }
  }
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}
