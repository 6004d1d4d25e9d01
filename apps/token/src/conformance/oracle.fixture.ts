/** oidc-provider with the same clients as the service under test: what another implementation says to the same request. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { freePort, type Party, type TestFleet } from '@outrider/testing';
import Provider from 'oidc-provider';

const RESOURCE = 'urn:outrider:telemetry';

export interface Oracle {
  readonly origin: string;
  stop(): void;
}

/** `vehicle`: authenticates by its certificate's SAN URI; `platform`: by assertions of the key. */
export async function startOracle(
  fleet: TestFleet,
  server: Party,
  clients: { vehicle: { id: string; uri: string }; platform: { id: string; jwk: object } },
): Promise<Oracle> {
  const port = await freePort();
  const origin = `https://127.0.0.1:${port}`;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { vehicle, platform } = clients;
  // Jest's realm has Node's structuredClone, whose objects are not its own: the provider asks for `constructor === Object`.
  globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));
  const grants = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
  const provider = new Provider(origin, {
    clients: [
      {
        client_id: vehicle.id,
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_uri: vehicle.uri,
        tls_client_certificate_bound_access_tokens: true,
        ...grants,
      },
      {
        client_id: platform.id,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [platform.jwk as never] },
        ...grants,
      },
    ],
    clientAuthMethods: ['tls_client_auth', 'private_key_jwt'],
    jwks: { keys: [privateKey.export({ format: 'jwk' }) as never, rsa.privateKey.export({ format: 'jwk' }) as never] },
    scopes: ['telemetry:write'],
    cookies: { keys: ['oracle'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: ({ req }) => {
          const { raw } = (req.socket as TLSSocket).getPeerCertificate();
          return raw ? new X509Certificate(raw).toString() : undefined;
        },
        certificateAuthorized: ({ req }) => (req.socket as TLSSocket).authorized,
        certificateSubjectMatches: ({ req }, _property, expected) =>
          (req.socket as TLSSocket).getPeerCertificate().subjectaltname === `URI:${expected}`,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        getResourceServerInfo: (_context, resource) => {
          if (resource !== RESOURCE) throw Object.assign(new Error('invalid_target'), invalidTarget());
          return {
            scope: 'telemetry:write telemetry:backfill',
            audience: RESOURCE,
            accessTokenTTL: 120,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  });
  const listener = createServer(
    {
      cert: `${server.certificatePem}${fleet.infrastructureCa.certificatePem}`,
      key: server.privateKeyPem,
      ca: [fleet.root.certificatePem, fleet.vehicleCa.certificatePem],
      requestCert: true,
      rejectUnauthorized: false,
    },
    provider.callback(),
  );
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  return {
    origin,
    stop: () => {
      listener.closeAllConnections();
      listener.close();
    },
  };
}

function invalidTarget() {
  return { error: 'invalid_target', status: 400, statusCode: 400, expose: true };
}
