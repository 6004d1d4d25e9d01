/**
 * The ceiling of a token endpoint: an mTLS server of `node:https` that reads the form and answers with one ES256 signature over claims of
 * the usual size. Reads `{key, cert, ca}` (PEM) as JSON from standard input and prints its port.
 */
import { generateKeyPairSync, randomUUID, sign, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';

const { key, cert, ca } = JSON.parse(await text(process.stdin)) as { key: string; cert: string; ca: string };
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' });
const thumbprints = new WeakMap<object, string>();

const server = createServer(
  { key, cert, ca, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  async (request, response) => {
    const form = new URLSearchParams(await text(request));
    const access_token = token(form.get('client_id') ?? '', thumbprint(request.socket as TLSSocket));
    response.setHeader('content-type', 'application/json');
    response.setHeader('cache-control', 'no-store');
    response.end(JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 120, scope: 'telemetry:write' }));
  },
);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

function token(sub: string, x5t: string): string {
  const iat = Math.floor(Date.now() / 1000);
  const times = { iat, nbf: iat, exp: iat + 120, jti: randomUUID() };
  const who = { iss: 'https://127.0.0.1:8442', sub, client_id: sub, aud: 'urn:outrider:telemetry' };
  const input = `${header}.${encode({ ...who, ...times, scope: 'telemetry:write', cnf: { 'x5t#S256': x5t } })}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/** Once a connection, as any server would. */
function thumbprint(socket: TLSSocket): string {
  const known = thumbprints.get(socket);
  if (known) return known;
  const hex = new X509Certificate(socket.getPeerCertificate().raw).fingerprint256.replaceAll(':', '');
  const made = Buffer.from(hex, 'hex').toString('base64url');
  thumbprints.set(socket, made);
  return made;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
