/** Names that the chart gives to what deploy:secrets makes, and the hosts that server certificates are made for: both follow from the values. */
import { portsOf } from '../../local/ports.ts';
import { SERVICES } from '../../local/services.ts';
import { mergedValues, type Release } from '../template/chart.ts';
import { CHART } from './render.ts';

/** The part of the chart's values that this reads. */
interface Values {
  readonly nameOverride: string;
  readonly fullnameOverride: string;
  readonly trustDomain: string;
  readonly domain: string;
  readonly publicAddress: string;
  readonly clusterDomain: string;
  readonly certificates: { readonly source: 'outrider' | 'cert-manager' };
  readonly services: Readonly<Record<string, { vehicle?: Face; operator?: Face; caSecret?: string; config?: object }>>;
  readonly secrets: {
    readonly trust: string;
    readonly provisioner: string;
    readonly services: Readonly<Record<string, string>>;
    readonly owners: Readonly<Record<string, string>>;
    readonly tls: Readonly<Record<string, string>>;
  };
  readonly nats: { readonly url: string | readonly string[] };
  readonly postgres: { readonly database: string };
  readonly streams: { readonly teams: readonly string[]; readonly siems: readonly string[] };
}

interface Face {
  readonly host: string;
  readonly url: string;
}

/** What of a Secret is asked for by name in the values is the user's own: `undefined` here, and not made. */
export function deployment(above: readonly Record<string, unknown>[], release: Release) {
  const values = mergedValues(CHART, above) as unknown as Values;
  const fullname = fullnameOf(values, release);
  const made = (given: string | undefined, name: string) => (given ? undefined : name);
  return {
    fullname,
    trustDomain: values.trustDomain,
    trust: made(values.secrets.trust, `${fullname}-trust`),
    ca: made(values.services['fleet-ca']?.caSecret, `${fullname}-ca`),
    provisioner: made(values.secrets.provisioner, `${fullname}-provisioner`),
    /** fleet-ca opens the infrastructure CA's key only where it renews the services' certificates. */
    infrastructureCaOnline: 'serviceRenewal' in (values.services['fleet-ca']?.config ?? {}),
    streams: values.streams,
    database: values.postgres.database,
    natsHosts: hostsOfUrls(values.nats.url),
    /** Where its server is: `nats.<namespace>.svc`. */
    natsNamespace: /\.([^.]+)\.svc\b/.exec(hostsOfUrls(values.nats.url)[0] ?? '')?.[1] ?? release.namespace,
    services: SERVICES.map(({ name, vehicle }) => ({
      name,
      vehicle,
      own: made(values.secrets.services[name], `${fullname}-${name}`),
      owner: made(values.secrets.owners[name], `${fullname}-${name}-owner`),
      tls:
        values.certificates.source === 'outrider'
          ? made(values.secrets.tls[name], `${fullname}-${name}-tls`)
          : undefined,
      hosts: hostsOf(values, `${fullname}-${name}`, release.namespace, name),
    })),
  };
}

export type Deployment = ReturnType<typeof deployment>;

/** Helm's way, as `outrider.fullname` of the chart has it. */
function fullnameOf({ nameOverride, fullnameOverride }: Values, { name: release }: Release): string {
  const name = nameOverride || 'outrider';
  const full = fullnameOverride || (release.includes(name) ? release : `${release}-${name}`);
  return full.slice(0, 40).replace(/-$/, '');
}

function hostsOf(values: Values, service: string, namespace: string, name: string): string[] {
  const within = [service, `${service}.${namespace}.svc`, `${service}.${namespace}.svc.${values.clusterDomain}`];
  const faces = [values.services[name]?.vehicle, values.services[name]?.operator];
  const outside = faces.flatMap((face) =>
    face ? [face.url ? new URL(face.url).hostname : `${face.host}.${values.domain}`] : [],
  );
  return [...within, ...outside];
}

/** `nats.nats.svc`: that name, and those by which the pods of NATS' own chart know each other. */
function hostsOfUrls(urls: string | readonly string[]): string[] {
  const all = typeof urls === 'string' ? urls.split(',') : urls;
  const hosts = all.map((url) => new URL(url.includes('://') ? url : `nats://${url}`).hostname);
  const pods = hosts.flatMap((host) => {
    const [, name, domain] = /^([a-z][a-z0-9-]*)(\..+\.svc.*)?$/.exec(host) ?? [];
    if (name === undefined || domain === undefined) return [];
    return [0, 1, 2].flatMap((n) => [`${name}-${n}.${name}-headless`, `${name}-${n}.${name}-headless${domain}`]);
  });
  return [...new Set([...hosts, ...pods])];
}

/** What the chart has to know of each service, as files/services.yaml: one source for the local suite and for Kubernetes. */
export function serviceFacts(): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const ports = portsOf({ portOffset: 0 });
  return Object.fromEntries(
    SERVICES.map(({ name, heapMiB, semiSpaceMiB = 8 }) => {
      const edges = name === 'gateway' ? { edges: ports.externalAuthorization } : {};
      return [name, { ...ports.services[name], ...edges, heapMiB, semiSpaceMiB } as Record<string, number>];
    }),
  );
}
