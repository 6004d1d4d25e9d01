/** The configuration every service shares; each app adds its own keys. Strict: an unknown key is refused, nothing security-relevant has a default. */
import { readFileSync } from 'node:fs';
import { parseNetwork } from '@outrider/admission';
import { Service, Thumbprint, TrustDomain } from '@outrider/ids';
import { z } from 'zod';
import { areServers, serverHosts } from '../nats/servers.js';
import { addressesOf, areAddresses } from '../postgres/addresses.js';
import { configFile } from './config-file.js';
import { isLoopback, isPlainBeyondLoopback } from './loopback.js';

const Port = z.int().min(1).max(65_535);
const HttpsUrl = z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash');

const TlsListener = z.strictObject({
  host: z.string().min(1).describe('The address to listen on.'),
  port: Port.describe('The port to listen on.'),
  certificateFile: configFile('certificate', 'Shown to clients. The same two files as `identity`: renewed with it.'),
  keyFile: configFile('key', 'Of that certificate.'),
});

/** As generous as a console with many panels and a script beside it need, and no more than one instance bears of a program gone wild. */
export const OPERATOR_RATE = { perSecond: 200, burst: 1000 };

const OperatorListener = TlsListener.extend({
  rateLimit: z
    .strictObject({
      perSecond: z.number().positive().describe('Requests a second, in the long run.'),
      burst: z.int().min(1).describe('Requests at once.'),
    })
    .default(OPERATOR_RATE)
    .describe(
      'What one account may ask of one instance; over it, 429 with Retry-After. What takes out of service is never limited.',
    ),
});

const VehicleListener = TlsListener.extend({
  clientAnchorFiles: z
    .array(configFile('anchors', 'One of them.'))
    .min(1)
    .describe('A client certificate must chain to one of these. They are anchors by themselves, root or not.'),
  publicUrl: HttpsUrl.optional().describe(
    "Where vehicles reach this listener, its name as a protected resource (RFC 9728). Default: DPoP's first public URL, else host and port.",
  ),
  trustedProxies: z
    .array(z.union([Thumbprint, z.string().startsWith('spiffe://').max(256)]))
    .optional()
    .describe(
      'Proxies that terminate TLS for vehicles: SPIFFE ids or thumbprints of certificates of the infrastructure CA. Absent: nobody is believed.',
    ),
  dpop: z
    .strictObject({
      nonceKeyFile: configFile(
        'hex-key',
        'The nonces are made with it; the same for every replica. Of several lines the first makes them and all are taken: every replica learns of a new key, below the first, before it becomes the first. Followed while running.',
      ),
      publicUrls: z
        .array(HttpsUrl)
        .min(1)
        .max(8)
        .describe(
          "Where vehicles reach this listener, directly or through a proxy: what a proof's `htu` is compared with.",
        ),
    })
    .optional()
    .describe('Proofs of possession by RFC 9449. Absent: none is taken here.'),
});

const Identity = z
  .strictObject({
    certificateFile: configFile(
      'certificate',
      'Of the infrastructure CA; names `spiffe://<trustDomain>/service/<service>`.',
    ),
    keyFile: configFile('key', 'Of that certificate.'),
    renewal: z
      .enum(['self', 'external'])
      .default('external')
      .describe(
        '`self`: the service has itself certified anew by fleet-ca at two thirds of the life of its certificate. `external`: somebody else (cert-manager, the ceremony) replaces the files; they are followed while running.',
      ),
    stateDirectory: configFile(
      'state-folder',
      'With `self`: where what was renewed lies, `identity.pem`, readable for the service alone. Each replica needs its own, and must find it again after a restart.',
    ).optional(),
  })
  .refine(({ renewal, stateDirectory }) => renewal === 'external' || stateDirectory !== undefined, {
    path: ['stateDirectory'],
    message: 'needed where renewal is "self"',
  });

const Tracing = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .describe(
      "The collector's OTLP over HTTP, e.g. `http://127.0.0.1:4318/v1/traces`; https beyond loopback where there is a `tokenFile`. Spans hold no ids and no secrets.",
    ),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .describe('Of the requests that come in; what follows from one is recorded with it.'),
  believeSampledOf: z
    .array(z.enum(['vehicle', 'operator']))
    .describe(
      'Listeners where the caller decides by the `sampled` flag of its `traceparent`. Elsewhere the ratio alone does.',
    ),
  queueSize: z.int().min(16).max(65_536).describe('Spans that wait to be sent; what is beyond is dropped and counted.'),
  tokenFile: configFile(
    'secret',
    'What the collector asks for, sent as a bearer token; read anew for each export.',
  ).optional(),
});

const common = {
  service: Service.describe('Whose file this is; any other service refuses it.'),
  trustDomain: TrustDomain.describe('The fleet, as its SPIFFE ids name it.'),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).describe('The least that is logged.'),
  trust: z
    .strictObject({
      fleetRootFile: configFile('anchors', "The fleet's roots, the active one first."),
      vehicleCaFile: configFile('anchors', 'Those that certify vehicles, every trusted generation.'),
      infrastructureCaFile: configFile('anchors', 'Those that certify services.'),
      controlCaFile: configFile('anchors', 'Those that certify the command signer.'),
    })
    .describe('Anchors of certificates by trust, for checks after the handshake. Followed while running.'),
  identity: Identity.describe("This service's own certificate and key: they sign its requests to fleet-ca."),
  listeners: z
    .strictObject({
      http: z
        .strictObject({
          host: z.string().min(1).describe('The address to listen on.'),
          port: Port.describe('The port to listen on.'),
        })
        .describe('Health and metrics; on revocation CRLs and OCSP too. Plain HTTP: loopback or the pod network.'),
      vehicle: VehicleListener.optional().describe('mTLS, for vehicles.'),
      operator: OperatorListener.optional().describe('HTTPS, for operators.'),
    })
    .describe('Where it listens.'),
  connectionLimits: z
    .strictObject({
      connections: z.int().min(1).describe('Open at once; what is beyond is closed.'),
      connectionsPerAddress: z
        .int()
        .min(1)
        .describe("Of an IPv4 address, an IPv6 /64. Many vehicles share one address behind a carrier's NAT."),
      handshakes: z.int().min(1).describe('Under way at once; further ones wait their turn.'),
      handshakesPerAddress: z.int().min(1).describe('The same of one address.'),
      exempt: z
        .array(z.string().refine((text) => parseNetwork(text) !== undefined, 'an address or a CIDR'))
        .max(256)
        .describe('Addresses and networks that no limit per address holds for: proxies, load balancers.'),
    })
    .describe('Of each listener by itself.'),
  nats: z
    .strictObject({
      url: z
        .union([z.string(), z.array(z.string()).min(1).max(16)])
        .refine(areServers, 'nats://host:port, several with commas between or as a list; no user, no password')
        .describe(
          '`nats://host:port`; every node of a cluster, with commas between or as a list. With TLS a server written by its IP address must be certified for one that is written.',
        ),
      user: z.string().min(1).describe("The service's user; its reader's is `<user>-reader`, with the same password."),
      passwordFile: configFile('secret', 'Read anew for each connection.'),
      caFile: configFile(
        'anchors',
        "The server's; read anew for each connection. Required beyond loopback.",
      ).optional(),
    })
    .describe('How it reaches NATS.'),
  database: z
    .strictObject({
      host: z
        .union([z.string(), z.array(z.string()).min(1).max(16)])
        .refine(areAddresses, 'host or host:port, several with commas between or as a list')
        .describe(
          'PostgreSQL. Several (`host` or `host:port`, with commas between or as a list): the one that takes writes is looked for, at the start and after a failover.',
        ),
      port: Port.describe('Of each host that names none.'),
      name: z.string().min(1).describe('The database.'),
      passwordFile: configFile(
        'secret',
        "Of the runtime role, which may change rows alone and is named like the service's schema. Read anew for each connection.",
      ),
      ownerPasswordFile: configFile('secret', 'Of the role `<schema>_owner`; read by `--migrate` alone.'),
      poolSize: z.int().min(1).max(200).describe('Connections that it keeps.'),
      synchronousStandby: z
        .enum(['expected', 'none'])
        .optional()
        .describe(
          '`none`: known to be a server without a standby that commits wait for. Otherwise a start warns of that.',
        ),
      caFile: configFile(
        'anchors',
        "The server's; read anew for each connection. Required beyond loopback.",
      ).optional(),
    })
    .describe('How it reaches PostgreSQL.'),
  tracing: Tracing.optional().describe('Absent: no traces (docs/tracing.md).'),
  shutdown: z
    .strictObject({
      drainDelayMs: z
        .int()
        .min(0)
        .max(300_000)
        .describe('So long it goes on serving after `/readyz` says `draining`: for load balancers to look elsewhere.'),
      finishMs: z
        .int()
        .min(0)
        .max(300_000)
        .describe('So long what is under way may take once nothing new is accepted; then its connections are cut.'),
    })
    .default({ drainDelayMs: 0, finishMs: 10_000 })
    .describe(
      'What a stop does. Who ends the process waits longer than both together (docs/runbooks/rolling-restart.md).',
    ),
  tokenIssuer: z.url().describe("Who issues access tokens: the token service's public URL."),
  tokenSkewSeconds: z.int().min(0).max(30).describe("Clock skew forgiven in a token's iat and nbf."),
  revocation: z
    .strictObject({
      controlStaleMs: z
        .int()
        .min(1000)
        .describe('Age of the revocation feed after which control actions on vehicle listeners fail closed.'),
      staleMs: z.int().min(1000).describe('Age after which everything on vehicle listeners does.'),
    })
    .describe('When too little is known of who is out of service.'),
} as const;

/** The strict schema of one service's file: the common part and the app's own keys. */
export function serviceConfig<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject({ ...common, ...shape });
}

const CommonConfig = z.strictObject(common);
/** What platform itself reads. Every service's configuration is one of these and more. */
export type CommonConfig = z.infer<typeof CommonConfig>;

export type TracingConfig = z.infer<typeof Tracing>;
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
  if (!serverHosts(config.nats.url).every(isLoopback) && !config.nats.caFile)
    throw new ConfigError(`${file}: nats.caFile: TLS is required beyond loopback`);
  if (!addressesOf(config.database).every(({ host }) => isLoopback(host)) && !config.database.caFile) {
    throw new ConfigError(`${file}: database.caFile: TLS is required beyond loopback`);
  }
  // Whoever sees the collector's token may write spans in every service's name.
  if (config.tracing?.tokenFile && isPlainBeyondLoopback(config.tracing.endpoint))
    throw new ConfigError(`${file}: tracing.endpoint: https is required beyond loopback where there is a tokenFile`);
}
