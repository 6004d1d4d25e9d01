/** A small real platform for the agent's tests: TLS with client certificates, EST, tokens, telemetry and commands; it misbehaves on demand. */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { signDer, verificationKey, verifySignature } from '@outrider/crypto';
import { DeviceId, deviceSpiffeId, SerialNumber } from '@outrider/ids';
import { issueService, type TestFleet, TRUST_DOMAIN } from '@outrider/testing';
import {
  certsOnlyCms,
  issueCertificate,
  OID,
  type ParsedCertificate,
  parseCertificate,
  parseCertificationRequest,
} from '@outrider/x509';

export interface Received {
  readonly seq: number;
  readonly kid: string | undefined;
  readonly verified: boolean;
  readonly telemetry: Record<string, unknown>;
}

const STREAM_ID = '7d6f1b52-6a39-4a55-9d7e-2f6a64a3c001';

export class TestPlatform {
  origin = '';
  /** Bodies of enrolment requests as they came: operation and base64. */
  readonly requests: { operation: string; body: string; peer: string }[] = [];
  readonly received: Received[] = [];
  readonly outcomes: { id: string; outcome: string }[] = [];
  readonly nonces: { id: string; nonce: string }[] = [];
  /** Records a telemetry request carried. */
  readonly batches: number[] = [];
  tokensGiven = 0;
  /** Answers what is about the vehicle's log; without it there is nothing to fetch. */
  logs: ((method: string, path: string, body: string) => { status: number; body: unknown }) | undefined;
  certificateSeconds = 3600;
  /** Enrolments whose answer is lost on the way. */
  loseEnrolments = 0;
  /** Hold this many enrolments for an operator. */
  holdEnrolments = 0;
  /** What renewals, and enrolments by the factory certificate, are refused with. */
  refuseRenewals: string | undefined;
  refuseEnrolments: string | undefined;
  /** Renew certificates that lapsed. */
  grace = false;
  /** Telemetry requests whose connection is cut before an answer; those with `after` have taken the records already. */
  cutTelemetry = 0;
  cutAfter = false;
  /** Status for telemetry requests instead of verdicts. */
  telemetryStatus: number | undefined;
  verdict: (seq: number) => string = () => 'accepted';
  /** Refuse this many tokens, as if they had expired. */
  refuseTokens = 0;
  criticalGranted = true;
  windows: unknown[] = [];
  /** Those in the answer to telemetry. */
  telemetryWindows: () => unknown[] = () => [];
  /** The certificate identifiers that renewal information was asked for. */
  readonly renewalQuestions: string[] = [];
  /** Undefined: a server that has none. */
  renewalInfo: (() => { status: number; body: unknown; retryAfter?: number }) | undefined;
  /** Whether there are streams of commands; polls alone otherwise. */
  streams = true;
  streamsOpened = 0;
  askForToken = false;
  endStreams = false;
  renewals = 0;
  outcomeStatus = 200;
  /** What the next polls, or the stream, hand over. */
  readonly offers: unknown[] = [];
  release: (id: string, nonce: string) => string | undefined = () => undefined;

  /** What `/cacerts` hands out. */
  cas: ParsedCertificate[];

  private server: Server | undefined;

  constructor(readonly fleet: TestFleet) {
    this.cas = [fleet.vehicleCa.certificate, fleet.root.certificate];
  }

  async start(): Promise<void> {
    const tls = await issueService(this.fleet, 'provisioning');
    const cert = `${tls.certificatePem}${this.fleet.infrastructureCa.certificatePem}`;
    const options = { key: tls.privateKeyPem, cert, requestCert: true, rejectUnauthorized: false };
    this.server = createServer(options, (request, response) => void this.answer(request, response));
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    this.origin = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  private cacerts(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' });
    response.end(Buffer.from(certsOnlyCms(this.cas.map(({ der }) => der))).toString('base64'));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const path = (request.url ?? '').replace(/\?.*/, '');
    if (path === '/.well-known/est/cacerts') return this.cacerts(response);
    const peer = (request.socket as TLSSocket).getPeerX509Certificate();
    if (!peer) return reply(response, 401, { code: 'tls.certificate_required' });
    const [, operation] = /^\/\.well-known\/est\/(simple(?:re)?enroll)$/.exec(path) ?? [];
    if (operation) return this.enrol(operation, body, peer, response);
    const [, certificateId] = /^\/\.well-known\/est\/renewal-info\/(.+)$/.exec(path) ?? [];
    if (certificateId) return this.renewal(certificateId, response);
    if (path === '/oauth2/token') return this.token(new URLSearchParams(body), response);
    if (this.refuseTokens > 0) {
      this.refuseTokens -= 1;
      return reply(response, 401, { code: 'auth.token_expired' });
    }
    if (path === '/v1/telemetry/window') return reply(response, 200, { windows: this.windows });
    if (path === '/v1/telemetry') return this.telemetry(body, peer, response);
    if (/^\/v1\/telemetry\/(fetch-orders|offline-logs|log-heads)/.test(path)) {
      const { status, body: told } = this.logs?.(request.method ?? '', path, body) ?? {
        status: 200,
        body: { orders: [] },
      };
      return status === 0 ? response.destroy() : reply(response, status, told);
    }
    return this.command(path, body, response);
  }

  private async enrol(
    operation: string,
    body: string,
    peer: X509Certificate,
    response: ServerResponse,
  ): Promise<unknown> {
    const subject = parseCertificate(peer.raw).subjectCommonName ?? '';
    this.requests.push({ operation, body, peer: subject });
    if (this.loseEnrolments > 0) {
      this.loseEnrolments -= 1;
      return response.destroy();
    }
    if (this.holdEnrolments > 0) {
      this.holdEnrolments -= 1;
      response.writeHead(202, { 'retry-after': '1', 'content-type': 'text/plain' });
      return response.end('est.pending: wait\n');
    }
    if (operation === 'simplereenroll' && !this.grace && peer.validToDate.getTime() <= Date.now()) {
      response.writeHead(401, { 'content-type': 'text/plain' });
      return response.end('tls.certificate_expired: enrol with the factory certificate\n');
    }
    const refusal = operation === 'simplereenroll' ? this.refuseRenewals : this.refuseEnrolments;
    if (refusal !== undefined) {
      response.writeHead(403, { 'content-type': 'text/plain' });
      return response.end(`${refusal}: out of service\n`);
    }
    const device = DeviceId.parse(subject);
    const request = parseCertificationRequest(body);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const certificate = await issueCertificate(
      {
        profile: 'vehicle',
        serialNumber: SerialNumber.parse(`7${String(now)}${this.requests.length}`.padEnd(32, '0')),
        subject: [{ type: OID.commonName, value: device }],
        spkiDer: request.spkiDer,
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + this.certificateSeconds * 1000),
        sanUri: deviceSpiffeId(TRUST_DOMAIN, device),
        crlUrl: 'http://127.0.0.1/0.crl',
        ocspUrl: 'http://127.0.0.1/ocsp',
      },
      this.fleet.vehicleCa.certificate,
      (tbs) => signDer(this.fleet.vehicleCa.privateKey, tbs),
    );
    response.writeHead(200, { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' });
    return response.end(Buffer.from(certsOnlyCms([certificate.der])).toString('base64'));
  }

  private renewal(certificateId: string, response: ServerResponse): unknown {
    this.renewalQuestions.push(certificateId);
    const { status, body, retryAfter } = this.renewalInfo?.() ?? { status: 404, body: {} };
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
    return reply(response, status, body);
  }

  private token(form: URLSearchParams, response: ServerResponse): unknown {
    const scope = form.get('scope') ?? '';
    if (scope.includes('critical') && !this.criticalGranted) {
      return reply(response, 400, { error: 'invalid_scope', error_description: 'not granted' });
    }
    this.tokensGiven += 1;
    return reply(response, 200, { access_token: `t${this.tokensGiven}`, token_type: 'Bearer', expires_in: 120, scope });
  }

  private telemetry(body: string, peer: X509Certificate, response: ServerResponse): unknown {
    if (this.telemetryStatus) return reply(response, this.telemetryStatus, { code: 'service.unavailable' });
    const cut = this.cutTelemetry > 0;
    if (cut) this.cutTelemetry -= 1;
    if (cut && !this.cutAfter) {
      return response.destroy();
    }
    const parsed = JSON.parse(body) as unknown;
    const messages = (Array.isArray(parsed) ? parsed : [parsed]) as {
      payload: { seq: number; telemetry: Record<string, unknown> };
      signature: string;
      kid?: string;
    }[];
    this.batches.push(messages.length);
    const key = verificationKey(peer.publicKey.export({ type: 'spki', format: 'der' }));
    const results = messages.map(({ payload, signature, kid }) => {
      const known = this.received.some(({ seq }) => seq === payload.seq);
      // The agent sends the very text that it signed, so its members are in canonical order as they come.
      const verified = verifySignature(key, Buffer.from(JSON.stringify(payload)), Buffer.from(signature, 'base64url'));
      if (!known) this.received.push({ seq: payload.seq, kid, verified, telemetry: payload.telemetry });
      return { seq: payload.seq, verdict: known ? 'duplicate' : this.verdict(payload.seq) };
    });
    if (cut) {
      return response.destroy();
    }
    return reply(response, 200, { results, windows: this.telemetryWindows(), accepted: results.length });
  }

  /** Offers as they are there; `renewals`: the tokens that came for an open stream, each asked for by `askForToken`. */
  private stream(response: ServerResponse): unknown {
    if (!this.streams) return reply(response, 404, { code: 'request.not_found' });
    this.streamsOpened += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here\n\n');
    const send = (event: string, data: object) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const timer = setInterval(() => {
      for (let offer = this.offers.shift(); offer; offer = this.offers.shift()) send('command', { command: offer });
      if (this.askForToken) send('token', { stream: STREAM_ID, expires_at: 0 });
      this.askForToken = false;
      if (this.endStreams) response.end();
    }, 20);
    return response.once('close', () => clearInterval(timer));
  }

  private command(path: string, body: string, response: ServerResponse): unknown {
    if (path === '/v1/commands/stream') return this.stream(response);
    if (path === `/v1/commands/stream/${STREAM_ID}/token`) {
      this.renewals += 1;
      return response.writeHead(204).end();
    }
    if (path.endsWith('/outcome') && this.outcomeStatus !== 200) {
      return reply(response, this.outcomeStatus, { code: 'service.unavailable' });
    }
    if (path === '/v1/commands/next') {
      const offer = this.offers.shift();
      if (offer) return reply(response, 200, { command: offer });
      return setTimeout(() => response.writeHead(204).end(), 50);
    }
    const [, id = '', what] = /^\/v1\/commands\/([^/]+)\/(nonce|outcome)$/.exec(path) ?? [];
    if (what === 'outcome') {
      this.outcomes.push({ id, outcome: (JSON.parse(body) as { outcome: string }).outcome });
      return reply(response, 200, { id, state: 'succeeded' });
    }
    const { nonce } = JSON.parse(body) as { nonce: string };
    this.nonces.push({ id, nonce });
    const jws = this.release(id, nonce);
    return reply(response, jws ? 200 : 409, jws ? { jws } : { code: 'command.nonce_refused' });
  }
}

function reply(response: ServerResponse, status: number, body: unknown): unknown {
  return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
