/** A proxy that terminates TLS for vehicles, as an operator would run one, and what a vehicle with DPoP sends through it. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import { issueService, type Party, type TestFleet } from '@outrider/testing';

/** By `Client-Cert` (RFC 9440), or by Envoy's header. */
export type Forwarding = 'rfc9440' | 'xfcc' | ((der: Buffer) => Record<string, string>);

export interface Edge {
  readonly port: number;
  readonly party: Party;
  /** Connections that it has to the service. */
  connections(): number;
  close(): Promise<void>;
}

/** Takes what its clients show, asks `target` over few kept connections with its own certificate, and replaces forwarded ones; `party` is who it is to the service. */
export async function startEdge(fleet: TestFleet, party: Party, target: number, forwarding: Forwarding): Promise<Edge> {
  const identity = { cert: party.certificatePem, key: party.privateKeyPem };
  const agent = new https.Agent({ keepAlive: true, maxSockets: 4, ca: fleet.root.certificatePem, ...identity });
  const own = await issueService(fleet, 'edge-1');
  const cert = own.certificatePem + fleet.infrastructureCa.certificatePem;
  const tls = {
    cert,
    key: own.privateKeyPem,
    requestCert: true,
    rejectUnauthorized: false,
    ca: fleet.vehicleCa.certificatePem,
  };
  const server = https.createServer(tls, (request, response) => {
    const leaf = (request.socket as TLSSocket).getPeerX509Certificate();
    // Hop by hop (RFC 9110 §7.6.1): how long a client keeps its connection is not how long we keep ours.
    const { connection: _, ...endToEnd } = request.headers;
    const headers = { ...endToEnd, ...(leaf ? forward(leaf.raw, forwarding) : {}) };
    const options = { host: '127.0.0.1', port: target, path: request.url, method: request.method, headers, agent };
    const upstream = https.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  const all = (sockets: NodeJS.ReadOnlyDict<object[]>) => Object.values(sockets).flatMap((list) => list ?? []).length;
  return {
    port,
    party,
    connections: () => all(agent.sockets) + all(agent.freeSockets),
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function forward(der: Buffer, forwarding: Forwarding): Record<string, string> {
  const base64 = der.toString('base64');
  if (forwarding === 'rfc9440') return { 'client-cert': `:${base64}:` };
  if (forwarding !== 'xfcc') return forwarding(der);
  const pem = `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`;
  return { 'x-forwarded-client-cert': `By=spiffe://x;Cert="${encodeURIComponent(pem)}";Subject="CN=a"` };
}

/** A key of a vehicle, and proofs by it. */
export function dpopKeyOf() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const jkt = sha256Base64url(JSON.stringify({ crv, kty, x, y }));
  const prove = (claims: object) => {
    const payload = { jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims };
    return signJws({
      header: { typ: JWS_TYP.dpop, jwk: { kty, crv, x, y } },
      payload: JSON.stringify(payload),
      key: privateKey,
    });
  };
  return { jkt, prove, publicKey };
}

export interface EdgeAnswer {
  readonly status: number;
  readonly body: { readonly code?: string; readonly deviceId?: string } | undefined;
  readonly headers: http.IncomingHttpHeaders;
}

/** One GET on a connection of its own. */
export function get(
  port: number,
  path: string,
  { fleet, party, headers }: { fleet: TestFleet; party?: Party | undefined; headers?: Record<string, string> },
): Promise<EdgeAnswer> {
  const identity = party ? { cert: party.certificatePem, key: party.privateKeyPem } : {};
  const options = { host: '127.0.0.1', port, path, ca: fleet.root.certificatePem, agent: false, ...identity };
  return new Promise((resolve, reject) => {
    const request = https.get({ ...options, headers: headers ?? {} } as https.RequestOptions, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const body = text.startsWith('{') ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
      });
    });
    request.on('error', reject);
  });
}
