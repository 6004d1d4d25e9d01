import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { connect as plainConnect, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Party } from '../attacks/cast.js';
import { type Answered, EDGES, EdgeClient, type EdgeName, type Running, startEdges, stopAll } from '../harness/edge.js';
import { endpoints } from '../harness/endpoints.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { operator, operatorToken } from '../harness/operator.js';
import { sleep, until } from '../harness/until.js';

const { hosts, ports } = endpoints.edge;
let running: readonly Running[];
let car: Party;
let thief: Party;

beforeAll(async () => {
  if (EDGES.length === 0) return;
  running = await startEdges();
  [car, thief] = await Promise.all([Party.enrol('edge-victim'), Party.enrol('edge-attacker')]);
}, 120_000);
afterAll(() => stopAll(running));

const codeOf = ({ status, body }: Answered) =>
  `${status} ${/"code":"([a-z_.]+)"/.exec(body)?.[1] ?? /^([a-z]+\.[a-z_]+):/.exec(body)?.[1] ?? ''}`.trim();
const trips = (party: Party) => `/v1/vehicles/${party.id}/trips`;
const window = '/v1/telemetry/window';
const tls = (host: 'api' | 'vehicles', more: ConnectionOptions = {}): ConnectionOptions => ({
  host: '127.0.0.1',
  servername: hosts[host],
  ca: readFileSync(endpoints.trust.server),
  ...more,
});

async function revoke(party: Party, wait = '?wait=enforced'): Promise<void> {
  const body = { device_id: party.id, reason: 'key-compromise' };
  expect((await operator('revocation', 'POST', `/revoke${wait}`, { body })).status).toBe(200);
}

describe.each(EDGES.length > 0 ? [...EDGES] : ['no edge'])('attacks through %s', (name) => {
  const edge = name as EdgeName;
  const it = EDGES.includes(edge) ? test : test.skip;
  const as = (party?: Party) => new EdgeClient(edge, party?.vehicle);
  const withClient = async (party: Party | undefined, work: (client: EdgeClient) => Promise<void>) => {
    const client = as(party);
    await work(client).finally(() => client.close());
  };

  it("9, 10: a stolen token opens nothing over another's connection, nor without a certificate", async () => {
    const [telemetry, api] = [await car.token(), await car.token('trips:read')];
    const asks = [
      { host: 'vehicles', path: window, token: telemetry },
      { host: 'vehicles', path: '/v1/commands/next?wait=0', token: await car.token('command:receive') },
      { host: 'api', path: trips(car), token: api },
    ] as const;
    await withClient(thief, async (client) => {
      for (const ask of asks) expect(codeOf(await client.ask(ask))).toBe('401 auth.token_binding_mismatch');
    });
    await withClient(undefined, async (client) => {
      for (const ask of asks) expect(codeOf(await client.ask(ask))).toBe('401 tls.certificate_required');
    });
  });

  it('14: after a revocation every request is refused, on the connection that was open', async () => {
    const revoked = await Party.enrol('edge-revoked');
    const client = as(revoked);
    const [telemetry, api] = [await revoked.token(), await revoked.token('trips:read')];
    const asks = [
      { host: 'vehicles', path: window, token: telemetry },
      { host: 'api', path: trips(revoked), token: api },
    ] as const;
    for (const ask of asks) expect((await client.ask(ask)).status).toBe(200);
    const begun = performance.now();
    await revoke(revoked, '');
    const refused = async (ask: (typeof asks)[number]) => {
      await until('a refusal', async () => (await client.ask(ask)).status === 403, { withinMs: 20_000, everyMs: 5 });
      return performance.now() - begun;
    };
    const took = await Promise.all(asks.map(refused));
    for (const ask of asks) expect(codeOf(await client.ask(ask))).toMatch(/^403 denylist\./);
    console.log(`${edge}: revoke to refusal on the kept connection, ${took.map(Math.round).join(' and ')} ms`);
    await withClient(car, async (other) => {
      expect((await other.ask({ host: 'vehicles', path: window, token: await car.token() })).status).toBe(200);
    });
    client.close();
  });

  it('15: no TLS session is resumed after it, by the session or with the key', async () => {
    const revoked = await Party.enrol('edge-resumed');
    const token = await revoked.token('trips:read');
    const files = revoked.files();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = connect({
        port: ports[edge],
        ...tls('api', { ...files, minVersion: version, maxVersion: version }),
      });
      let session: Buffer | undefined;
      socket.on('session', (given) => {
        session = given;
      });
      await once(socket, 'secureConnect');
      socket.write(`GET /status HTTP/1.1\r\nHost: ${hosts.api}\r\n\r\n`);
      await once(socket, 'data');
      session ??= socket.getSession();
      socket.destroy();
      for (const more of [files, {}]) {
        const again = connect({
          port: ports[edge],
          ...tls('api', { ...more, ...(session ? { session } : {}), minVersion: version, maxVersion: version }),
        });
        again.on('error', () => undefined);
        await Promise.race([once(again, 'secureConnect').catch(() => undefined), sleep(5000)]);
        expect(again.isSessionReused()).toBe(false);
        again.destroy();
      }
    }
    await revoke(revoked);
    await withClient(revoked, async (client) =>
      expect(codeOf(await client.ask({ host: 'api', path: trips(revoked), token }))).toMatch(/^403 denylist\./),
    );
  });

  it("21: a revoked or another's certificate renews nothing", async () => {
    const revoked = await Party.enrol('edge-renewer');
    const key = await newKey(`${revoked.id}-${edge}-new.key`, 'P-256');
    const renew = async (client: EdgeClient, who: Party) =>
      client.ask({
        host: 'vehicles',
        method: 'POST',
        path: '/.well-known/est/simplereenroll',
        headers: { 'content-type': 'application/pkcs10' },
        body: await newRequest(key, `/CN=${who.id}`),
      });
    await withClient(thief, async (client) =>
      expect(codeOf(await renew(client, revoked))).toBe('400 est.csr_name_mismatch'),
    );
    await withClient(undefined, async (client) => expect((await renew(client, revoked)).status).toBe(401));
    const client = as(revoked);
    const good = await renew(client, revoked);
    expect((await certificatesOf(good.body)).length).toBeGreaterThan(0);
    await revoke(revoked);
    expect(codeOf(await renew(client, revoked))).toMatch(/^403 (denylist|est)\./);
    client.close();
  });

  it('22: a client writes no certificate, and no identity, into its own headers; nor asks gateway itself', async () => {
    const pem = readFileSync(car.vehicle.certificate, 'utf8');
    const der = pem.replace(/-----[A-Z ]+-----|\s/g, '');
    const forged = [
      { 'client-cert': `:${der}:` },
      { 'Client-Cert': [`:${der}:`, `:${der}:`] },
      { 'x-forwarded-client-cert': `Cert="${encodeURIComponent(pem)}"` },
      { 'x-forwarded-tls-client-cert': encodeURIComponent(der) },
      { client_cert: `:${der}:`, 'x-ssl-client-cert': encodeURIComponent(pem) },
      { 'x-original-uri': '/status', 'x-original-method': 'GET', 'x-original-host': hosts.api },
    ];
    const [telemetry, api] = [await car.token(), await car.token('trips:read')];
    for (const headers of forged) {
      for (const party of [undefined, thief]) {
        const wanted = party ? '401 auth.token_binding_mismatch' : '401 tls.certificate_required';
        await withClient(party, async (client) => {
          expect(codeOf(await client.ask({ host: 'vehicles', path: window, token: telemetry, headers }))).toBe(wanted);
          expect(codeOf(await client.ask({ host: 'api', path: trips(car), token: api, headers }))).toBe(wanted);
        });
      }
    }
    const gateway = new URL(endpoints.edge.authorization);
    const asked = {
      'x-original-method': 'GET',
      'x-original-uri': trips(car),
      'x-original-host': hosts.api,
      'x-original-remote-addr': '127.0.0.1',
    };
    const status = await new Promise((resolve) =>
      https
        .get(
          {
            host: gateway.hostname,
            port: gateway.port,
            path: '/authorize/nginx',
            agent: false,
            ca: readFileSync(endpoints.trust.server),
            ...car.files(),
            headers: { ...asked, ...forged[0], authorization: `Bearer ${api}` },
          } as https.RequestOptions,
          (answer) => {
            answer.resume();
            resolve(`${answer.statusCode} ${answer.headers['x-outrider-code']}`);
          },
        )
        .on('error', (error) => resolve(error.message)),
    );
    expect(status).toBe('403 gateway.edge_unknown');
  });

  it("25: neither side takes the other's tokens, and no operator API is there", async () => {
    await withClient(car, async (client) => {
      const token = operatorToken();
      expect(codeOf(await client.ask({ host: 'api', path: trips(car), token }))).toBe('401 auth.token_invalid');
      expect(codeOf(await client.ask({ host: 'vehicles', path: window, token }))).toBe('401 auth.token_invalid');
      for (const path of [
        '/v1/devices',
        '/revoke',
        '/admin/block',
        '/v1/decisions',
        '/metrics',
        '/readyz',
        '/authorize/nginx',
        '/v1/edge/denylist',
        '/_outrider',
      ])
        for (const host of ['vehicles', 'api'] as const) {
          const answer = await client.ask({ host, path, token });
          expect([401, 403, 404, 421]).toContain(answer.status);
        }
    });
    await withClient(undefined, async (client) =>
      expect(
        (await client.ask({ host: 'vehicles', path: '/v1/vehicles/x/commands', token: operatorToken() })).status,
      ).not.toBe(200),
    );
  });
});

/** Both edges at once: it takes as long as their timeouts. */
const slow = EDGES.length > 0 ? test : test.skip;
slow(
  '24: slow connections are cut by timeouts, and cost others nothing',
  async () => {
    const HALF_OPEN = 100;
    const IN_HEAD = 100;
    await Promise.all(
      EDGES.map(async (edge) => {
        const sockets: Socket[] = [];
        for (let n = 0; n < HALF_OPEN; n += 1) {
          const socket = plainConnect(ports[edge], '127.0.0.1');
          socket.on('error', () => undefined);
          sockets.push(socket);
        }
        while (sockets.length < HALF_OPEN + IN_HEAD) {
          const some = Array.from({ length: 20 }, () => connect({ port: ports[edge], ...tls('api') }) as TLSSocket);
          for (const socket of some) socket.on('error', () => undefined);
          await Promise.all(some.map((socket) => once(socket, 'secureConnect')));
          sockets.push(...some);
        }
        const text = `GET /status HTTP/1.1\r\nHost: ${hosts.api}\r\nX-Slow: ${'a'.repeat(1000)}`;
        let sent = 0;
        const trickle = setInterval(() => {
          for (const socket of sockets.slice(HALF_OPEN)) if (!socket.destroyed) socket.write(text[sent] ?? 'a');
          sent += 1;
        }, 1000);
        for (const socket of sockets) socket.resume();
        const client = new EdgeClient(edge, car.vehicle);
        try {
          expect((await client.ask({ host: 'api', path: '/status' })).status).toBe(200);
          expect((await client.ask({ host: 'vehicles', path: window, token: await car.token() })).status).toBe(200);
          await until(
            `${edge} has cut them all`,
            () => sockets.every((socket) => socket.destroyed || socket.readableEnded),
            { withinMs: 60_000, everyMs: 200 },
          );
          expect((await client.ask({ host: 'api', path: '/status' })).status).toBe(200);
        } finally {
          clearInterval(trickle);
          client.close();
          for (const socket of sockets) socket.destroy();
        }
      }),
    );
  },
  120_000,
);
