/** The configuration every service shares; each app adds its own keys. Strict: an unknown key is refused, nothing security-relevant has a default. */
import { readFileSync } from 'node:fs';
import { parseNetwork } from '@outrider/admission';
import { Service, Thumbprint, TrustDomain } from '@outrider/ids';
import { z } from 'zod';

const Port = z.int().min(1).max(65_535);
const FilePath = z.string().min(1);

const TlsListener = z.strictObject({
  host: z.string().min(1),
  port: Port,
  /** PEM: leaf first, then its chain. */
  certificateFile: FilePath,
  keyFile: FilePath,
});

const VehicleListener = TlsListener.extend({
  /** PEM files; a client certificate must chain to one of them. They are anchors by themselves, root or not. */
  clientAnchorFiles: z.array(FilePath).min(1),
  /** Where vehicles reach this listener, its name as a protected resource (RFC 9728); default DPoP's first public URL, else host and port. */
  publicUrl: z
    .url()
    .regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash')
    .optional(),
  /** Proxies that terminate TLS for vehicles: SPIFFE ids or thumbprints of certificates of the infrastructure CA. Absent: nobody is believed. */
  trustedProxies: z.array(z.union([Thumbprint, z.string().startsWith('spiffe://').max(256)])).optional(),
  /** Absent: no DPoP proof is taken here. */
  dpop: z
    .strictObject({
      /** 32 bytes or more in hex, the same for every replica: the nonces are made with it. */
      nonceKeyFile: FilePath,
      /** Where vehicles reach this listener, directly or through a proxy, without a trailing slash: what a proof's `htu` is compared with. */
      publicUrls: z
        .array(z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash'))
        .min(1)
        .max(8),
    })
    .optional(),
});

const common = {
  service: Service,
  trustDomain: TrustDomain,
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']),
  /** PEM files: anchors of certificates by trust, for checks after the handshake. */
  trust: z.strictObject({
    fleetRootFile: FilePath,
    vehicleCaFile: FilePath,
    infrastructureCaFile: FilePath,
    controlCaFile: FilePath,
  }),
  /** This service's own certificate of the infrastructure CA: signs its requests to fleet-ca. */
  identity: z.strictObject({ certificateFile: FilePath, keyFile: FilePath }),
  listeners: z.strictObject({
    http: z.strictObject({ host: z.string().min(1), port: Port }),
    vehicle: VehicleListener.optional(),
    operator: TlsListener.optional(),
  }),
  /** Of each listener by itself. What is beyond the first two is closed; handshakes beyond the others wait their turn. */
  connectionLimits: z.strictObject({
    connections: z.int().min(1),
    /** An IPv4 address, an IPv6 /64. Many vehicles share one address behind a carrier's NAT. */
    connectionsPerAddress: z.int().min(1),
    /** Handshakes under way at once. */
    handshakes: z.int().min(1),
    handshakesPerAddress: z.int().min(1),
    /** Addresses and networks that no limit per address holds for: proxies, load balancers. */
    exempt: z.array(z.string().refine((text) => parseNetwork(text) !== undefined, 'an address or a CIDR')).max(256),
  }),
  nats: z.strictObject({
    url: z.string().min(1),
    user: z.string().min(1),
    passwordFile: FilePath,
    /** PEM; required outside loopback. */
    caFile: FilePath.optional(),
  }),
  database: z.strictObject({
    host: z.string().min(1),
    port: Port,
    name: z.string().min(1),
    /** Runtime role: DML only. Its name is the service's schema. */
    passwordFile: FilePath,
    /** Owner role `<schema>_owner`: migrations only. */
    ownerPasswordFile: FilePath,
    poolSize: z.int().min(1).max(200),
    /** PEM; required outside loopback. */
    caFile: FilePath.optional(),
  }),
  /** Who issues access tokens: the token service's public URL. */
  tokenIssuer: z.url(),
  /** Seconds of clock skew forgiven in a token's iat and nbf. */
  tokenSkewSeconds: z.int().min(0).max(30),
  revocation: z.strictObject({
    /** Age of the revocation feed after which control actions on vehicle listeners fail closed. */
    controlStaleMs: z.int().min(1000),
    /** Age after which everything on vehicle listeners does. */
    staleMs: z.int().min(1000),
  }),
} as const;

/** The strict schema of one service's file: the common part and the app's own keys. */
export function serviceConfig<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject({ ...common, ...shape });
}

const CommonConfig = z.strictObject(common);
/** What platform itself reads. Every service's configuration is one of these and more. */
export type CommonConfig = z.infer<typeof CommonConfig>;

export type VehicleListenerConfig = z.infer<typeof VehicleListener>;
export type TlsListenerConfig = z.infer<typeof TlsListener>;

/** A configuration that cannot be used; the message names the file and each key. Thrown before anything opens. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads and checks a configuration file. Throws ConfigError naming every bad key. */
export function loadConfig<C extends CommonConfig>(file: string, schema: z.ZodType<C>, service: Service): C {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}`, { cause });
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw new ConfigError(`${file}:\n${z.prettifyError(parsed.error)}`);
  if (parsed.data.service !== service) {
    throw new ConfigError(`${file}: service: this is ${service}, the file is for ${parsed.data.service}`);
  }
  requireTlsBeyondLoopback(file, parsed.data);
  return parsed.data;
}

/** Reads a secret; a trailing newline is not part of it. */
export function readSecret(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}

function requireTlsBeyondLoopback(file: string, config: CommonConfig): void {
  const natsHost = new URL(config.nats.url.includes('://') ? config.nats.url : `nats://${config.nats.url}`).hostname;
  if (!isLoopback(natsHost) && !config.nats.caFile)
    throw new ConfigError(`${file}: nats.caFile: TLS is required beyond loopback`);
  if (!isLoopback(config.database.host) && !config.database.caFile) {
    throw new ConfigError(`${file}: database.caFile: TLS is required beyond loopback`);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127\./.test(host);
}
