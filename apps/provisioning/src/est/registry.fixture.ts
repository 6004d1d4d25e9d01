/** What tests do to the registry of a running suite: through its operator API, and by the events of its neighbours. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { issueFactoryDevice, type Party } from '@outrider/testing';
import type { ParsedCertificate } from '@outrider/x509';
import {
  type Answer,
  est,
  newKeys,
  received,
  request,
  run,
  type Suite,
  send,
  temporaryDirectory,
} from './suite.fixture.js';

interface Shown {
  readonly state: string;
  readonly version: number;
  readonly certificates: { readonly thumbprint: string; readonly status: string }[];
}

/** Of findings and enrolments, as far as tests look. */
interface Item {
  readonly id: string;
  readonly state: string;
  readonly kind: string;
  readonly certain: boolean;
  readonly quarantined: boolean;
}

export type Registry = ReturnType<typeof registryOf>;

export function registryOf(suite: Suite) {
  async function operator(method: string, path: string, body?: object): Promise<Answer> {
    const authorization = `Bearer ${suite.operatorToken('device:read device:write')}`;
    const headers = { authorization, ...(body ? { 'content-type': 'application/json' } : {}) };
    const sent = body ? { body: JSON.stringify(body) } : {};
    return send(suite, `${suite.operatorUrl}${path}`, { method, headers, ...sent });
  }

  /** Those of a listing. */
  async function items(path: string): Promise<Item[]> {
    const answer = await operator('GET', path);
    if (answer.status !== 200) throw new Error(answer.body);
    return (JSON.parse(answer.body) as { items: Item[] }).items;
  }

  /** A registered device with its factory certificate. */
  async function registered(name: string): Promise<Party> {
    const serial_number = `DM-${name.toUpperCase()}`;
    const answer = await operator('POST', '/v1/devices', {
      device_id: name,
      manufacturer: 'demo-motors',
      serial_number,
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    return issueFactoryDevice(suite.fleet, name);
  }

  async function enrolled(name: string) {
    const factory = await registered(name);
    const keys = newKeys();
    return { factory, ...received(await est(suite, 'simpleenroll', factory, request(name, keys)), keys) };
  }

  async function show(name: string): Promise<Shown> {
    return JSON.parse((await operator('GET', `/v1/devices/${name}`)).body) as Shown;
  }

  async function statusOf(name: string, thumbprint: string): Promise<string | undefined> {
    return (await show(name)).certificates.find((one) => one.thumbprint === thumbprint)?.status;
  }

  /** Publishes an event as its owner would. */
  async function publish(user: string, subject: string, payload: object): Promise<void> {
    const connection = await suite.nats.connectAs(user);
    connection.publish(subject, JSON.stringify(payload));
    await connection.flush();
    await connection.close();
  }

  /** The token service saw the certificate in use. */
  function seen(name: string, thumbprint: string): Promise<void> {
    const payload = { deviceId: name, thumbprint, seenAt: new Date().toISOString() };
    return publish('token', `token.certificate.seen.v1.${name}`, payload);
  }

  return { operator, items, registered, enrolled, show, statusOf, publish, seen };
}

export function refOf({ certificate }: { certificate: ParsedCertificate }, deviceId: string) {
  return {
    deviceId,
    issuerKeyId: certificate.authorityKeyId,
    serialNumber: certificate.serialNumber,
    thumbprint: certificate.thumbprint,
    keyThumbprint: certificate.keyThumbprint,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
  };
}

export function expectRefused(answer: Pick<Answer, 'status' | 'headers' | 'body'>, status: number, code: string): void {
  expect(answer.body).toMatch(new RegExp(`^${code.replaceAll('.', '\\.')}: .+\\n$`));
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toContain('text/plain');
}

/** A key and a request by openssl. `type`: `ed25519`, `ec:<curve>`, `rsa:<bits>`. */
export async function opensslRequest(
  name: string,
  type: string,
  extras: string[] = [],
): Promise<{ key: string; pem: string }> {
  const [algorithm, size] = type.split(':') as [string, string?];
  const options =
    algorithm === 'ec'
      ? ['-pkeyopt', `ec_paramgen_curve:${size}`]
      : algorithm === 'rsa'
        ? ['-pkeyopt', `rsa_keygen_bits:${size}`]
        : [];
  const key = (await run('openssl', ['genpkey', '-algorithm', algorithm, ...options])).stdout.toString();
  const file = join(temporaryDirectory(), 'key.pem');
  writeFileSync(file, key);
  const { stdout, stderr } = await run('openssl', ['req', '-new', '-key', file, '-subj', `/CN=${name}`, ...extras]);
  if (stdout.length === 0) throw new Error(stderr);
  return { key, pem: stdout.toString() };
}
