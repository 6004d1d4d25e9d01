import https from 'node:https';
import type { FactoryVehicle } from '../suite/suite.client.js';

export interface Target {
  readonly url: string;
  readonly ca: string;
}

/** One POST of the vehicle's certificate request on a connection of its own, by a full handshake: no session is offered. */
export function postAfresh(target: Target, vehicle: FactoryVehicle): Promise<string> {
  return post(target, vehicle, false);
}

/** An agent that holds the vehicle's one connection, opened by a first request that asks for nothing. */
export async function keptConnection(target: Target, vehicle: FactoryVehicle): Promise<https.Agent> {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const url = new URL('/.well-known/est/csrattrs', target.url).href;
  await send({ ...target, url }, vehicle, agent, 'GET');
  return agent;
}

export function post(target: Target, vehicle: FactoryVehicle, agent: https.Agent | false): Promise<string> {
  return send(target, vehicle, agent, 'POST');
}

function send(
  { url, ca }: Target,
  { certificate, privateKey, csr }: FactoryVehicle,
  agent: https.Agent | false,
  method: 'GET' | 'POST',
): Promise<string> {
  const body = method === 'POST' ? { 'content-type': 'application/pkcs10', 'content-length': csr.length } : {};
  const tls = { ca, cert: certificate, key: privateKey, minVersion: 'TLSv1.3' as const };
  return new Promise((resolve, reject) => {
    const headers = { ...body, 'user-agent': 'outrider-bench' };
    const request = https.request(url, { method, headers, agent, ...tls }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', () => {
        const text = Buffer.concat(parts).toString();
        if ((response.statusCode ?? 0) < 300) resolve(text);
        else reject(new Error(`${url}: ${response.statusCode} ${text.slice(0, 300)}`));
      });
    });
    request.once('error', reject);
    request.end(method === 'POST' ? csr : undefined);
  });
}

/** Runs `work` for each item, `width` at a time; resolves with the seconds it took. */
export async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>) {
  const startedAt = performance.now();
  const waiting = items.values();
  const runner = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: width }, runner));
  return (performance.now() - startedAt) / 1000;
}
