/** `endpoints.json`: the contract for every tool that drives a suite from outside. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DATABASE } from './database.ts';
import { edgeEndpoints } from './edge.ts';
import { writeWhole } from './files.ts';
import { fleetFiles } from './fleet.ts';
import { keyFileOf, SERVICE_ACCOUNTS, tokenFileOf } from './operator-token.ts';
import { OFFICER, officerFiles } from './people.ts';
import { portsOf } from './ports.ts';
import { SUPERUSER } from './postgres.ts';
import { natsPasswordFile, PROVISIONER } from './secrets.ts';
import { natsUrl } from './servers.ts';
import { SERVICES } from './services.ts';
import { places, type Settings } from './settings.ts';

export interface Endpoints {
  /** PEM files: what server certificates, and what signed commands, are believed by. */
  readonly trust: { readonly server: string; readonly fleetRoot: string };
  /** The demo manufacturer's CA: PEM certificate and key. */
  readonly factory: { readonly ca: string; readonly key: string };
  readonly services: Readonly<
    Record<string, { readonly vehicle?: string; readonly operator?: string; readonly http: string }>
  >;
  readonly operator: { readonly tokenFile: string };
  /** Every operator there is, by account: `operator` is the first of them; a service account's key makes tokens of its own; people's files are there once they have signed in. */
  readonly operators: Readonly<Record<string, { readonly tokenFile: string; readonly keyFile?: string }>>;
  /** People, who sign in (`outrider login --as`): what they show for it, and where their token is then. */
  readonly people: Readonly<
    Record<string, { readonly passwordFile: string; readonly totpSecretFile: string; readonly tokenFile: string }>
  >;
  /** `passwordFile` is the superuser's, there only where the cluster is our own. */
  readonly database: {
    readonly host: string;
    readonly port: number;
    readonly name: string;
    readonly user: string;
    readonly passwordFile?: string;
    /** The port of the standby at the same host, where there is one. */
    readonly standbyPort?: number;
  };
  /** For an edge proxy before this suite: where it asks, who it is, where it is expected, and the API that it may have behind it. */
  readonly edge: {
    readonly authorization: string;
    readonly certificate: string;
    readonly key: string;
    /** PEM: all that certify vehicles, and the fleet root: OUTRIDER_EDGE_VEHICLE_CAS as it is. */
    readonly vehicleCas: string;
    readonly ports: { readonly nginx: number; readonly haproxy: number; readonly api: number };
    readonly hosts: { readonly api: string; readonly vehicles: string };
    readonly api: { readonly audience: string; readonly scopes: readonly string[] };
  };
  /** The user that may make streams and read them through the JetStream API. */
  readonly nats: { readonly url: string; readonly user: string; readonly passwordFile: string };
}

export function writeEndpoints(settings: Settings, adminUrl: string): void {
  writeWhole(places(settings).endpoints, `${JSON.stringify(endpointsOf(settings, adminUrl), null, 2)}\n`);
}

function endpointsOf(settings: Settings, adminUrl: string): Endpoints {
  const { operatorToken, secrets } = places(settings);
  const { trust, factory } = fleetFiles(settings);
  const ports = portsOf(settings);
  const officer = officerFiles(settings);
  const admin = new URL(adminUrl);
  const passwordFile = join(secrets, `postgres-${SUPERUSER}`);
  const path = (file: string) => readable(settings, file);
  return {
    trust: { server: path(trust.server), fleetRoot: path(trust.fleetRoot) },
    factory: { ca: path(factory.ca), key: path(factory.key) },
    services: Object.fromEntries(
      SERVICES.map(({ name }) => {
        const faces = ports.services[name];
        return [
          name,
          {
            ...(faces?.vehicle ? { vehicle: `https://127.0.0.1:${faces.vehicle}` } : {}),
            ...(faces?.operator ? { operator: `https://127.0.0.1:${faces.operator}` } : {}),
            http: `http://127.0.0.1:${faces?.http}`,
          },
        ];
      }),
    ),
    operator: { tokenFile: path(operatorToken) },
    operators: Object.fromEntries([
      ...SERVICE_ACCOUNTS.map((account) => [
        account,
        { tokenFile: path(tokenFileOf(settings, account)), keyFile: path(keyFileOf(settings, account)) },
      ]),
      [OFFICER, { tokenFile: path(officer.token) }],
    ]),
    people: {
      [OFFICER]: {
        passwordFile: path(officer.password),
        totpSecretFile: path(officer.totpSecret),
        tokenFile: path(officer.token),
      },
    },
    database: {
      host: admin.hostname,
      port: Number(admin.port || 5432),
      name: DATABASE,
      user: decodeURIComponent(admin.username),
      ...(existsSync(passwordFile) ? { passwordFile: path(passwordFile) } : {}),
      ...(settings.cluster && !settings.postgresUrl ? { standbyPort: ports.postgresStandby } : {}),
    },
    edge: edgeEndpoints(settings, path),
    nats: {
      url: natsUrl(settings),
      user: PROVISIONER,
      passwordFile: path(natsPasswordFile(secrets, PROVISIONER)),
    },
  };
}

/** Relative to the project for the default home; whole for any other, so that nobody has to know where it lies. */
function readable({ project, home }: Settings, file: string): string {
  return home === join(project, '.outrider') ? relative(project, file) : file;
}
