/** Writes the configuration of every service: the local default, spelled out where a reader can see it. */
import { join } from 'node:path';
import { DATABASE, rolePasswordFiles } from './database.ts';
import { edgeId, urlsAtEdges } from './edge.ts';
import { secret, writeWhole } from './files.ts';
import { EDGE, fleetFiles, TRUST_DOMAIN } from './fleet.ts';
import { portsOf } from './ports.ts';
import { natsPasswordFile } from './secrets.ts';
import { natsUrl } from './servers.ts';
import { appSettings } from './service-settings.ts';
import { SERVICES, type ServiceSpec } from './services.ts';
import { places, type Settings } from './settings.ts';

const HOST = '127.0.0.1';

/** Who signs access tokens, as every service knows it. */
export function tokenIssuer(settings: Settings): string {
  return `https://${HOST}:${portsOf(settings).services.token?.vehicle}`;
}

export function writeConfigs(settings: Settings): void {
  const { config } = places(settings);
  for (const service of SERVICES) {
    const text = JSON.stringify(configOf(settings, service), null, 2);
    writeWhole(join(config, `${service.name}.json`), `${text}\n`);
  }
}

function configOf(settings: Settings, { name }: ServiceSpec): object {
  const { secrets } = places(settings);
  const ports = portsOf(settings);
  const faces = ports.services[name];
  const { trust, service } = fleetFiles(settings);
  const roles = rolePasswordFiles(secrets, name);
  const database = settings.postgresUrl ? new URL(settings.postgresUrl) : undefined;
  const certificate = { certificateFile: service(name).certificate, keyFile: service(name).key };
  return {
    service: name,
    trustDomain: TRUST_DOMAIN,
    logLevel: 'info',
    trust: {
      fleetRootFile: trust.fleetRoot,
      vehicleCaFile: trust.vehicleCa,
      infrastructureCaFile: trust.infrastructureCa,
      controlCaFile: trust.controlCa,
    },
    // The ceremony's certificate to begin with; from two thirds of its life on the service has itself certified anew.
    identity: { ...certificate, renewal: 'self', stateDirectory: join(places(settings).identities, name) },
    listeners: {
      http: { host: HOST, port: faces?.http },
      ...(faces?.vehicle
        ? {
            vehicle: {
              host: HOST,
              port: faces.vehicle,
              ...certificate,
              clientAnchorFiles: [trust.vehicleCa],
              ...edge(settings, faces.vehicle),
            },
          }
        : {}),
      ...(faces?.operator ? { operator: { host: HOST, port: faces.operator, ...certificate } } : {}),
    },
    // Everybody is 127.0.0.1 here, as a fleet is one address behind a carrier's NAT.
    connectionLimits: {
      connections: 20_000,
      connectionsPerAddress: 10_000,
      handshakes: 512,
      handshakesPerAddress: 256,
      exempt: [],
    },
    nats: {
      url: natsUrl(settings),
      user: name,
      passwordFile: natsPasswordFile(secrets, name),
    },
    database: {
      host: database?.hostname ?? (settings.cluster ? [HOST, `${HOST}:${ports.postgresStandby}`] : HOST),
      port: database ? Number(database.port || 5432) : ports.postgres,
      name: DATABASE,
      passwordFile: roles.runtime,
      ownerPasswordFile: roles.owner,
      poolSize: 10,
      // A server of the user's own is expected to have one: a start says so when it has not.
      ...(database || settings.cluster ? {} : { synchronousStandby: 'none' }),
    },
    tokenIssuer: tokenIssuer(settings),
    tokenSkewSeconds: 5,
    revocation: { controlStaleMs: 5000, staleMs: 60_000 },
    // Nothing balances here, and whoever stops the suite waits for it.
    shutdown: { drainDelayMs: 0, finishMs: 5000 },
    ...(settings.traceEndpoint ? { tracing: tracingTo(settings.traceEndpoint) } : {}),
    ...appSettings(settings, name),
  };
}

/** Every request, and vehicles and operators as they wish: a suite on one machine is there to be looked at. */
function tracingTo(endpoint: string): object {
  return { endpoint, sampleRatio: 1, believeSampledOf: ['vehicle', 'operator'], queueSize: 4096 };
}

/** Vehicles come directly, or through an edge before this suite (deploy/edge). Those that bind their tokens to a key reach this listener by these names. */
function edge(settings: Settings, port: number): object {
  const nonceKeyFile = join(places(settings).secrets, 'dpop-nonce');
  secret(nonceKeyFile);
  const behind = urlsAtEdges(settings, EDGE.vehicles);
  const publicUrls = [`https://${HOST}:${port}`, `https://localhost:${port}`, ...behind];
  return { trustedProxies: [edgeId()], dpop: { nonceKeyFile, publicUrls } };
}
