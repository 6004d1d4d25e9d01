import { join } from 'node:path';
import {
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Party, until } from '@outrider/testing';
import type { CheckRequest } from './dialects/envoy-grpc.js';
import { A, type EdgeSuite, HOST, startEdgeSuite } from './edge.fixture.js';

const TRIPS = `/v1/vehicles/${A}/trips`;

interface Answer {
  readonly status: { readonly code: number; readonly message: string };
  readonly deniedResponse?: {
    status: { code: number };
    headers: { header: { key: string; value: string } }[];
    body: string;
  };
  readonly okResponse?: {
    headers: { header: { key: string; value: string }; appendAction: string }[];
    headersToRemove: string[];
  };
}

let suite: EdgeSuite;
const clients: { close(): void }[] = [];

beforeAll(async () => {
  suite = await startEdgeSuite();
}, 60_000);
afterAll(async () => {
  for (const client of clients) client.close();
  await suite?.stop();
});

/** Envoy's place: a client by the same definition. */
function clientOf(party: Party, withinMs = 20_000) {
  const proto = join(import.meta.dirname, '../../proto/ext_authz.proto');
  const loaded = loadPackageDefinition(loadSync(proto, { enums: String, defaults: true, oneofs: false }));
  const at = ['envoy', 'service', 'auth', 'v3'].reduce((one, name) => one[name] as GrpcObject, loaded as GrpcObject);
  const Authorization = at.Authorization as ServiceClientConstructor;
  const pem = (text: string) => Buffer.from(text);
  const tls = credentials.createSsl(
    pem(suite.fleet.root.certificatePem),
    pem(party.privateKeyPem),
    pem(party.certificatePem + suite.fleet.infrastructureCa.certificatePem),
  );
  const client = new Authorization(`localhost:${suite.port}`, tls);
  clients.push(client);
  return (request: CheckRequest): Promise<Answer> =>
    new Promise((resolve, reject) =>
      client.Check?.(
        request,
        new Metadata(),
        { deadline: Date.now() + withinMs },
        (error: Error | null, answer: Answer) => (error ? reject(error) : resolve(answer)),
      ),
    );
}

/** As Envoy fills it in, with `include_peer_certificate`. */
function request(
  headers: Record<string, string>,
  { party, ...http }: { party?: Party; method?: string; path?: string } = {},
): CheckRequest {
  const shown = party ? { certificate: encodeURIComponent(party.certificatePem) } : {};
  return {
    attributes: {
      source: { address: { socketAddress: { address: '192.0.2.7' } }, ...shown },
      request: { http: { method: 'GET', path: TRIPS, host: HOST, headers, ...http } },
    },
  };
}
const authorization = () => `Bearer ${suite.tokenOf(suite.parties.a, A)}`;
const told = ({ status, deniedResponse }: Answer) =>
  [status.code, status.message, deniedResponse?.status.code].join(' ').trim();

describe('Envoy asks over gRPC', () => {
  it('and hears who it is, and what of the client to take away', async () => {
    const check = clientOf(suite.parties.edge);
    const answer = await check(request({ authorization: authorization() }, { party: suite.parties.a }));
    expect(answer.status.code).toBe(0);
    const headers = Object.fromEntries(
      answer.okResponse?.headers.map(({ header }) => [header.key, header.value]) ?? [],
    );
    expect(headers).toMatchObject({
      'x-outrider-device': A,
      'x-outrider-scope': 'trips:read',
      'x-outrider-admitted-by': 'token',
    });
    expect(answer.okResponse?.headers.every(({ appendAction }) => appendAction === 'OVERWRITE_IF_EXISTS_OR_ADD')).toBe(
      true,
    );
    expect(answer.okResponse?.headersToRemove).toEqual(['x-outrider-recovery']);
  });

  it('with raw headers too, of which a second one is never dropped unseen', async () => {
    const check = clientOf(suite.parties.edge);
    const raw = (values: string[]) => {
      const asked = request({}, { party: suite.parties.a });
      const headers = values.map((value) => ({ key: 'authorization', rawValue: Buffer.from(value) }));
      return {
        attributes: {
          ...asked.attributes,
          request: { http: { ...asked.attributes?.request?.http, headers: {}, headerMap: { headers } } },
        },
      };
    };
    expect((await check(raw([authorization()]))).status.code).toBe(0);
    expect(told(await check(raw([authorization(), authorization()])))).toBe('16 auth.token_missing 401');
  });

  it('and a refusal is whole: status, challenge, problem', async () => {
    const check = clientOf(suite.parties.edge);
    const answer = await check(request({}, { party: suite.parties.a }));
    expect(told(answer)).toBe('16 auth.token_missing 401');
    const headers = Object.fromEntries(
      answer.deniedResponse?.headers.map(({ header }) => [header.key, header.value]) ?? [],
    );
    expect(headers['www-authenticate']).toContain('Bearer realm="outrider"');
    expect(JSON.parse(answer.deniedResponse?.body ?? '')).toMatchObject({ status: 401, code: 'auth.token_missing' });
    const party = suite.parties.a;
    expect(told(await check(request({ authorization: authorization() }, { party, path: '/v1/../admin' })))).toBe(
      '7 gateway.path_ambiguous 400',
    );
    expect(told(await check({}))).toBe('7 gateway.edge_request_invalid 400');
  });

  it("and no header of the client's stands for the certificate", async () => {
    const check = clientOf(suite.parties.edge);
    const pem = encodeURIComponent(suite.parties.a.certificatePem);
    const forged = { 'x-forwarded-client-cert': `Cert="${pem}"`, 'client-cert': ':AAAA:' };
    expect(told(await check(request({ ...forged, authorization: authorization() })))).toBe(
      '16 tls.certificate_required 401',
    );
    expect(told(await check(request({ authorization: authorization() }, { party: suite.parties.b })))).toBe(
      '16 auth.token_binding_mismatch 401',
    );
  });

  it('on a connection that stays, and a revocation counts at the next question', async () => {
    const check = clientOf(suite.parties.edge);
    const asked = () => request({ authorization: authorization() }, { party: suite.parties.a });
    expect((await check(asked())).status.code).toBe(0);
    await suite.denier.deny({ kind: 'device', value: A });
    await until(async () => told(await check(asked())) === '7 denylist.device 403');
    await suite.denier.deny({ kind: 'device', value: A, removed: true });
    await until(async () => (await check(asked())).status.code === 0);
  });

  it('and nobody else does', async () => {
    await expect(clientOf(suite.parties.other, 1000)(request({}))).rejects.toThrow();
    await expect(clientOf(suite.parties.a, 1000)(request({}))).rejects.toThrow();
  });
});
