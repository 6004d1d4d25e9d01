/** A vehicle by hand: its factory identity from the CLI, its key by openssl, everything else by curl or Node's own TLS. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { type Answer, type ClientFiles, curl } from './curl.js';
import { at, endpoints, type Service } from './endpoints.js';
import { file, inFolder, newDeviceId } from './folder.js';
import { certificatesOf, type KeyType, newKey, newRequest, thumbprintOf } from './openssl.js';
import { outriderJson } from './outrider.js';

export interface Factory extends ClientFiles {
  /** Holds factory.crt, factory.key, chain.pem. */
  readonly folder: string;
}

/** A device of the demo manufacturer. `args`: further ones of `outrider factory make-device`. */
export async function makeDevice(id: string, ...args: string[]): Promise<Factory> {
  const folder = inFolder(`${id}-factory`);
  await outriderJson('factory', 'make-device', id, '--out', folder, ...args);
  const chain = ['factory.crt', 'chain.pem'].map((name) => readFileSync(`${folder}/${name}`, 'utf8')).join('');
  return { folder, certificate: file(`${id}-factory-chain.pem`, chain), key: `${folder}/factory.key` };
}

/** One EST request by curl. */
export function est(operation: string, body: string, client?: ClientFiles): Promise<Answer> {
  const args = ['-H', 'Content-Type: application/pkcs10', '--data-binary', body];
  return curl(`${at('provisioning', 'vehicle')}/.well-known/est/${operation}`, args, client);
}

/** An enrolled vehicle: a device id, a fleet certificate and its key. */
export class Vehicle implements ClientFiles {
  #agent: Agent | undefined;

  constructor(
    readonly id: string,
    readonly key: string,
    readonly certificate: string,
    readonly factory: Factory,
  ) {}

  static async enrol(name: string, keyType: KeyType = 'P-256', ...args: string[]): Promise<Vehicle> {
    const id = newDeviceId(name);
    const factory = await makeDevice(id, ...args);
    const key = await newKey(`${id}.key`, keyType);
    const answer = await est('simpleenroll', await newRequest(key, `/CN=${id}`), factory);
    if (answer.status !== 200) throw new Error(`${id} was not enrolled: ${answer.status} ${answer.body}`);
    const [leaf = ''] = await certificatesOf(answer.body);
    return new Vehicle(id, key, file(`${id}.crt`, leaf), factory);
  }

  thumbprint(): Promise<string> {
    return thumbprintOf(this.certificate);
  }

  /** A token request by curl. `fields`: of the form, over the usual ones. */
  askToken(scope = 'telemetry:write', fields: Record<string, string> = {}): Promise<Answer> {
    const form = { grant_type: 'client_credentials', client_id: this.id, scope, ...fields };
    const args = Object.entries(form).flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]);
    return curl(`${at('token', 'vehicle')}/oauth2/token`, args, this);
  }

  async token(scope?: string): Promise<string> {
    const answer = await this.askToken(scope);
    if (answer.status !== 200) throw new Error(`${this.id} got no token: ${answer.status} ${answer.body}`);
    return answer.json().access_token as string;
  }

  /** Telemetry by curl: a JSON value, or text as it is. */
  sendTelemetry(body: unknown, token: string): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const args = ['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/json'];
    return curl(`${at('telemetry', 'vehicle')}/v1/telemetry`, [...args, '-d', text], this);
  }

  /** A request on a kept-alive connection of Node's, for what counts milliseconds. */
  async send(service: Service, method: 'GET' | 'POST', path: string, token?: string, body?: object) {
    this.#agent ??= new Agent({
      connect: {
        ca: readFileSync(endpoints.trust.server),
        cert: readFileSync(this.certificate),
        key: readFileSync(this.key),
      },
    });
    const answer = await request(`${at(service, 'vehicle')}${path}`, {
      dispatcher: this.#agent,
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(30_000),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }
}
