/**
 * The baseline: oidc-provider for the same vehicles, by tls_client_auth (SAN URI), with certificate-bound ES256 JWTs of
 * client_credentials. Reads `{key, cert, ca, clients: [{id, uri}]}` as JSON from standard input and prints its port.
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import Provider from 'oidc-provider';

interface Told {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly clients: readonly { readonly id: string; readonly uri: string }[];
}

const { key, cert, ca, clients } = JSON.parse(await text(process.stdin)) as Told;
const RESOURCE = 'urn:outrider:telemetry';
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
// Its own notices would go where the port is told.
console.info = () => undefined;

/** What the certificate of a connection says, looked at once a connection. */
const certificates = new WeakMap<object, { pem: string; names: string | undefined }>();
function certificateOf(socket: TLSSocket) {
  const known = certificates.get(socket);
  if (known) return known;
  const parsed = new X509Certificate(socket.getPeerCertificate().raw);
  const made = { pem: parsed.toString(), names: parsed.subjectAltName };
  certificates.set(socket, made);
  return made;
}

const provider = new Provider('https://127.0.0.1', {
  clients: clients.map(({ id, uri }) => ({
    client_id: id,
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_san_uri: uri,
    tls_client_certificate_bound_access_tokens: true,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  })),
  clientAuthMethods: ['tls_client_auth'],
  jwks: { keys: [ec.privateKey.export({ format: 'jwk' }) as never, rsa.privateKey.export({ format: 'jwk' }) as never] },
  scopes: ['telemetry:write'],
  cookies: { keys: ['bench'] },
  ttl: { ClientCredentials: 120 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: ({ req }) => certificateOf(req.socket as TLSSocket).pem,
      certificateAuthorized: ({ req }) => (req.socket as TLSSocket).authorized,
      certificateSubjectMatches: ({ req }, _property, expected) =>
        certificateOf(req.socket as TLSSocket).names === `URI:${expected}`,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      getResourceServerInfo: () => ({
        scope: 'telemetry:write',
        audience: RESOURCE,
        accessTokenTTL: 120,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
const server = createServer(
  { key, cert, ca, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  provider.callback(),
);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
