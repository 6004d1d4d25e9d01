/** command's vehicle listener as vehicles see it: mTLS, tokens of the suite's own token service, and a revocation feed that is alive. */
import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACR, OPERATOR_AUDIENCE, vehicleAudience } from '@outrider/admission';
import { vehicleCertificateGet } from '@outrider/contracts';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import type { DeviceId } from '@outrider/ids';
import { issueVehicle, type Party, startDenylist, startTokenService } from '@outrider/testing';
import { PEOPLE, type Surroundings } from './command.fixture.js';

const ISSUER = 'https://127.0.0.1:8442';
export const SCOPE = 'command:receive command:critical';

export interface Seen {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests alone
  readonly body: any;
}

export interface StreamSeen {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly events: { readonly event: string; readonly data: any }[];
  ended: boolean;
  close(): void;
}

/** The services around vehicles, on the real NATS. */
export async function startVehicleSide({ fleet, nats }: Pick<Surroundings, 'fleet' | 'nats'>) {
  const token = await startTokenService(nats, ISSUER);
  const denylist = await startDenylist(nats);
  const registry = await nats.connectAs('provisioning');
  const issued = new Map<string, object>();
  registry.subscribe(vehicleCertificateGet.subject, {
    callback: (_error, msg) => {
      const ok = issued.get(JSON.parse(msg.string()).thumbprint);
      msg.respond(JSON.stringify(ok ? { ok } : { error: { code: 'provisioning.certificate_not_found' } }));
    },
  });
  const stop = async () => {
    await Promise.all([denylist.stop(), registry.close(), token.stop()]);
  };
  /** What the registry then says of its certificate: whose it is, and that it is live. */
  const issue = async (deviceId: DeviceId): Promise<Party> => {
    const party = await issueVehicle(fleet, deviceId);
    const certificate = Buffer.from(party.certificate.der).toString('base64');
    issued.set(party.certificate.thumbprint, { certificate, deviceId, status: 'live' });
    return party;
  };
  const vehicle = async (deviceId: DeviceId) =>
    new TestVehicle(deviceId, await issue(deviceId), fleet.root.certificatePem, token);
  /** An operator's request, by a person who is known, with one idempotency key until it is answered. */
  const operate = async (port: number, path: string, body: object): Promise<Seen> => {
    const access = token.accessToken({
      ...{ sub: PEOPLE.ben, client_id: 'test', roles: ['admin'], aud: OPERATOR_AUDIENCE },
      ...{ scope: 'command:send command:send-critical', acr: ACR.service, amr: ['pop'] },
      auth_time: Math.floor(Date.now() / 1000),
    });
    const headers = {
      authorization: `Bearer ${access}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    };
    const ca = fleet.root.certificatePem;
    const options = { host: '127.0.0.1', port, method: 'POST', path, headers, ca, agent: false };
    return insist(() => exchange(options, body), path);
  };
  return { vehicle, operate, stop };
}

export class TestVehicle {
  constructor(
    readonly deviceId: DeviceId,
    readonly party: Party,
    private readonly ca: string,
    private readonly tokens: Awaited<ReturnType<typeof startTokenService>>,
  ) {}

  /** `seconds`: from now until it ends. */
  token(seconds = 60, more: object = {}): string {
    const { deviceId, party } = this;
    const iat = Math.floor(Date.now() / 1000);
    const cnf = { 'x5t#S256': party.certificate.thumbprint };
    const aud = vehicleAudience('command');
    const exp = iat + seconds;
    return this.tokens.accessToken({ sub: deviceId, client_id: deviceId, aud, scope: SCOPE, cnf, iat, exp, ...more });
  }

  outcome(id: string, jws: string | Buffer, result = 'succeeded', more: object = {}): string {
    const time = Math.floor(Date.now() / 1000);
    const payload = {
      command_id: id,
      device_id: this.deviceId,
      request_hash: sha256Base64url(jws),
      result,
      time,
      ...more,
    };
    return signJws({
      header: { typ: JWS_TYP.outcome, kid: this.party.certificate.thumbprint },
      payload: JSON.stringify(payload),
      key: this.party.privateKey,
    });
  }

  ask(port: number, method: string, path: string, body?: object, token = this.token()): Promise<Seen> {
    return exchange(this.request(port, method, path, token, body), body);
  }

  /** Until it is answered by something other than absence: what a vehicle does about a service that was killed. */
  insist(port: number, method: string, path: string, body?: object): Promise<Seen> {
    return insist(() => this.ask(port, method, path, body), path);
  }

  stream(port: number, token = this.token()): Promise<StreamSeen> {
    return new Promise((resolve, reject) => {
      const request = https.request(this.request(port, 'GET', '/v1/commands/stream', token), (answer) => {
        if (answer.statusCode !== 200) return reject(new Error(`stream: ${answer.statusCode}`));
        const seen: StreamSeen = { events: [], ended: false, close: () => void request.destroy() };
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          const blocks = (text + part).split('\n\n');
          text = blocks.pop() ?? '';
          for (const block of blocks) {
            const [, event, data] = /^event: (.+)\ndata: (.+)$/.exec(block) ?? [];
            if (event) seen.events.push({ event, data: JSON.parse(data!) });
          }
        });
        const ended = () => Object.assign(seen, { ended: true });
        answer.on('end', ended).on('error', ended);
        resolve(seen);
      });
      request.on('error', reject).end();
    });
  }

  private request(port: number, method: string, path: string, token: string, body?: object): https.RequestOptions {
    const { certificatePem: cert, privateKeyPem: key } = this.party;
    const headers = { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    return { host: '127.0.0.1', port, method, path, headers, cert, key, ca: this.ca, agent: false };
  }
}

function exchange(options: https.RequestOptions, body?: object): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const request = https.request(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode!, body: text ? JSON.parse(text) : undefined }));
    });
    request.on('error', reject).end(body ? JSON.stringify(body) : undefined);
  });
}

async function insist(ask: () => Promise<Seen>, what: string): Promise<Seen> {
  for (const end = Date.now() + 60_000; ; ) {
    const seen = await ask().catch(() => undefined);
    if (seen && seen.status < 500 && seen.status !== 401 && seen.status !== 204) return seen;
    if (seen?.status === 204 && !what.includes('wait')) return seen;
    if (Date.now() > end) throw new Error(`${what}: no answer, ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}
