import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Party } from '../attacks/cast.js';
import { Prover } from '../harness/dpop.js';
import {
  type Answered,
  EDGES,
  EdgeClient,
  type EdgeName,
  type Running,
  startHaproxy,
  startNginx,
} from '../harness/edge.js';
import { endpoints } from '../harness/endpoints.js';
import { canonical, nowSeconds, payloadOf } from '../harness/message.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';

const STARTS: Readonly<Record<EdgeName, () => Promise<Running>>> = { nginx: startNginx, haproxy: startHaproxy };
const codeOf = ({ status, body }: Answered) =>
  `${status} ${/"code":"([a-z_.]+)"/.exec(body)?.[1] ?? /"error":"([a-z_]+)"/.exec(body)?.[1] ?? ''}`.trim();

describe.each(EDGES.length > 0 ? [...EDGES] : ['none'])("the suite's own services behind %s", (name) => {
  const edge = name as EdgeName;
  const it = EDGES.includes(edge) ? test : test.skip;
  let running: Running | undefined;
  let car: Party;
  let client: EdgeClient;

  beforeAll(async () => {
    if (!EDGES.includes(edge)) return;
    running = await STARTS[edge]();
    car = await Party.enrol('behind');
    client = new EdgeClient(edge, car.vehicle);
  }, 120_000);
  afterAll(async () => {
    client?.close();
    await running?.stop();
  });

  it('take a vehicle for who it is: token, telemetry, renewal', async () => {
    const token = await client.token(car.id, 'telemetry:write');
    const payload = payloadOf(car.id, car.nextSeq(), nowSeconds());
    const body = JSON.stringify({ payload, signature: car.sign(canonical(payload)) });
    const headers = { 'content-type': 'application/json' };
    const sent = await client.ask({ host: 'vehicles', method: 'POST', path: '/v1/telemetry', token, headers, body });
    expect({ status: sent.status, accepted: JSON.parse(sent.body).accepted }).toEqual({ status: 200, accepted: 1 });
    const window = await client.ask({ host: 'vehicles', path: '/v1/telemetry/window', token });
    expect(window.status).toBe(200);
    const request = await newRequest(await newKey(`${car.id}-${edge}.key`, 'P-256'), `/CN=${car.id}`);
    const renewed = await client.ask({
      host: 'vehicles',
      method: 'POST',
      path: '/.well-known/est/simplereenroll',
      headers: { 'content-type': 'application/pkcs10' },
      body: request,
    });
    expect(renewed.status).toBe(200);
    expect((await certificatesOf(renewed.body)).length).toBeGreaterThan(0);
  });

  it('take no word of the client for its certificate', async () => {
    const stranger = new EdgeClient(edge);
    const other = await Party.enrol('behind-other');
    const forged = { 'client-cert': ':AAAA:', 'x-forwarded-client-cert': `Cert="x"`, 'Client-Cert-Chain': ':AAAA:' };
    const ask = { host: 'vehicles', path: '/v1/telemetry/window', token: await car.token(), headers: forged } as const;
    expect(codeOf(await client.ask(ask))).toBe('200');
    expect(codeOf(await stranger.ask(ask))).toBe('401 tls.certificate_required');
    const thief = new EdgeClient(edge, other.vehicle);
    expect(codeOf(await thief.ask(ask))).toBe('401 auth.token_binding_mismatch');
    for (const one of [stranger, thief]) one.close();
  });

  it('give control to a key of the vehicle alone', async () => {
    const refused = await client.token(car.id, 'command:receive').catch((error: Error) => error.message);
    expect(refused).toContain('invalid_dpop_proof');
    const prover = new Prover();
    const token = await prover.token(car.client, car.id, 'command:receive');
    const path = '/v1/commands/next?wait=0';
    const htu = `https://${endpoints.edge.hosts.vehicles}:${endpoints.edge.ports[edge]}/v1/commands/next`;
    const ask = (nonce?: unknown) => {
      const proof = prover.proof(
        { service: 'command', method: 'GET', path, token },
        { htu, ...(nonce ? { nonce } : {}) },
      );
      return client.ask({ host: 'vehicles', path, headers: { authorization: `DPoP ${token}`, dpop: proof } });
    };
    const first = await ask();
    expect(codeOf(first)).toBe('401 auth.dpop_nonce');
    expect((await ask(first.headers['dpop-nonce'])).status).toBe(204);
    const bearer = await car.token('command:receive');
    expect(codeOf(await client.ask({ host: 'vehicles', path, token: bearer }))).toBe('401 auth.dpop_required');
  });
});
