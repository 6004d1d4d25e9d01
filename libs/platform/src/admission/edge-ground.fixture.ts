/** The probe service behind proxies that end TLS: who they are, who is behind them, and how these ask. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { sha256Base64url } from '@outrider/crypto';
import type { DeviceId } from '@outrider/ids';
import {
  issueService,
  issueVehicle,
  type Party,
  startDenylist,
  startGround,
  startTokenService,
  type TestDenylist,
  type TestGround,
  type TestTokenService,
  TRUST_DOMAIN,
  until,
} from '@outrider/testing';
import { A, B, startProbe } from './admission-ground.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { dpopKeyOf, type Edge, type EdgeAnswer, type Forwarding, get, startEdge } from './edge.fixture.js';
import { JwksKeys } from './jwks.client.js';

export const publicUrl = 'https://edge.example.com';
/** The key of a vehicle whose token is bound to it. */
export const key = dpopKeyOf();

export const claims = (party: Party, device: DeviceId, more: object = {}) => ({
  sub: device,
  client_id: device,
  aud: 'urn:outrider:telemetry',
  scope: 'telemetry:write',
  cnf: { 'x5t#S256': party.certificate.thumbprint, ...more },
});
export const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

/** `proxy` is a configured one by its name, `named` by its thumbprint, `stranger` none. `edge`: before the service, by `proxy`. */
export class EdgeGround {
  private readonly edges: Edge[] = [];

  private constructor(
    readonly ground: TestGround,
    readonly app: NestFastifyApplication,
    readonly token: TestTokenService,
    readonly denylist: TestDenylist,
    readonly parties: Readonly<Record<'a' | 'b' | 'proxy' | 'named' | 'stranger', Party>>,
  ) {}

  static async start(): Promise<{ readonly ground: EdgeGround; readonly edge: Edge }> {
    const ground = await startGround('telemetry');
    const { fleet, nats, config: common, directory } = ground;
    const [a, b, proxy, named, stranger] = await Promise.all([
      issueVehicle(fleet, A),
      issueVehicle(fleet, B),
      issueService(fleet, 'edge-1'),
      issueService(fleet, 'edge-2'),
      issueService(fleet, 'telemetry'),
    ]);
    const nonceKeyFile = join(directory, 'dpop-nonce');
    writeFileSync(nonceKeyFile, randomBytes(32).toString('hex'));
    const vehicle = {
      ...common.listeners.vehicle,
      trustedProxies: [`spiffe://${TRUST_DOMAIN}/service/edge-1`, named.certificate.thumbprint],
      dpop: { nonceKeyFile, publicUrls: [publicUrl, `https://127.0.0.1:${common.listeners.vehicle.port}`] },
    };
    const app = await startProbe({ ...common, listeners: { ...common.listeners, vehicle } });
    const [token, denylist] = await Promise.all([startTokenService(nats, common.tokenIssuer), startDenylist(nats)]);
    await until(
      () => app.get(DenylistFeed).freshness() === 'fresh' && app.get(JwksKeys).get(token.keyId) !== undefined,
    );
    const made = new EdgeGround(ground, app, token, denylist, { a, b, proxy, named, stranger });
    return { ground: made, edge: await made.through(proxy, 'rfc9440') };
  }

  async stop(): Promise<void> {
    await Promise.all(this.edges.map((one) => one.close()));
    await this.app.close();
    await Promise.all([this.token.stop(), this.denylist.stop()]);
    await this.ground.stop();
  }

  get port() {
    const { vehicle, http } = this.ground.config.listeners;
    return { vehicle: vehicle.port, http: http.port };
  }

  async through(party: Party, forwarding: Forwarding): Promise<Edge> {
    const made = await startEdge(this.ground.fleet, party, this.port.vehicle, forwarding);
    this.edges.push(made);
    return made;
  }

  ask(at: number, path: string, party?: Party, headers?: Record<string, string>): Promise<EdgeAnswer> {
    return get(at, path, { fleet: this.ground.fleet, party, ...(headers ? { headers } : {}) });
  }

  /** With a proof, asked again once with the nonce of the first answer, as RFC 9449 §8 has it. */
  async askProven(at: number, path: string, party: Party, compact: string, changed: object = {}, by = key) {
    let nonce: unknown = {};
    const once = () => {
      const proven = { htm: 'GET', htu: `${publicUrl}${path}`, ath: sha256Base64url(compact), ...(nonce as object) };
      return this.ask(at, path, party, { authorization: `DPoP ${compact}`, dpop: by.prove({ ...proven, ...changed }) });
    };
    const first = await once();
    expect({ status: first.status, code: first.body?.code }).toEqual({ status: 401, code: 'auth.dpop_nonce' });
    expect(first.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce".*algs="ES256 ES384 EdDSA"$/);
    nonce = { nonce: first.headers['dpop-nonce'] };
    return once();
  }
}
