/** The NetworkPolicies are the contracts: services talk over NATS alone, and everybody else reaches the port that is for them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { CONTRACTS } from '@outrider/contracts';
import { SERVICES } from '@outrider/ids';
import { componentOf, EXAMPLES, type KubernetesObject, objectsOf, ofKind, rendered } from './render.js';
import { complaintsAbout } from './schemas.js';

interface Rule {
  readonly ports?: readonly { readonly port: string | number }[];
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
}
interface Peer {
  readonly namespaceSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly podSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
}
interface Policy {
  readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

interface Deployment {
  readonly template: {
    readonly spec: {
      readonly containers: readonly { readonly ports: readonly { name: string; containerPort: number }[] }[];
    };
  };
}

let plain: KubernetesObject[];
let edges: KubernetesObject[];
beforeAll(async () => {
  const all = await rendered(['defaults', 'edges']);
  plain = all.get('defaults') ?? [];
  edges = all.get('edges') ?? [];
}, 295_000);

/** The spec of the first object of a kind that belongs to a service. */
function specOf<T>(objects: readonly KubernetesObject[], kind: string, component?: string): T {
  const found = ofKind(objects, kind).find((one) => component === undefined || componentOf(one) === component);
  if (!found) throw new Error(`no ${kind} of ${component}`);
  return found.spec as T;
}

const policyOf = (objects: readonly KubernetesObject[], component: string) =>
  specOf<Policy>(objects, 'NetworkPolicy', component);
const namespaceOf = ({ namespaceSelector, podSelector }: Peer) =>
  namespaceSelector?.matchLabels['kubernetes.io/metadata.name'] ?? JSON.stringify(podSelector?.matchLabels);

/** `port from whom`, of each rule and peer. */
const edgesOf = (rules: readonly Rule[] = []) =>
  rules.flatMap(({ ports = [], from, to }) =>
    ports.flatMap(({ port }) => (from ?? to ?? []).map((peer) => `${port} ${namespaceOf(peer)}`)),
  );

it('what is not said is refused, in both directions, to every pod of the release', () => {
  const [deny] = ofKind(plain, 'NetworkPolicy')
    .filter(({ metadata }) => metadata.name.endsWith('-default-deny'))
    .map(({ spec }) => spec as Policy);
  if (!deny) throw new Error('no default');
  expect(deny).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
  expect([deny.ingress, deny.egress]).toEqual([undefined, undefined]);
  for (const deployment of ofKind(plain, 'Deployment')) {
    const { template } = deployment.spec as { template: { metadata: { labels: object } } };
    expect(template.metadata.labels).toMatchObject(deny.podSelector.matchLabels);
  }
});

describe.each([...SERVICES])('%s', (service) => {
  it('goes out to names, NATS and PostgreSQL, and nowhere else', () => {
    expect(edgesOf(policyOf(plain, service).egress)).toEqual([
      '53 kube-system',
      '53 kube-system',
      '4222 nats',
      '5432 {"cnpg.io/cluster":"outrider-postgres"}',
    ]);
  });

  it('lets in whom its ports are for', () => {
    const wanted: Readonly<Record<string, string[]>> = {
      'fleet-ca': [],
      provisioning: ['vehicle gateway', 'operator gateway'],
      token: ['vehicle gateway', 'operator gateway'],
      telemetry: ['vehicle gateway', 'operator gateway'],
      command: ['vehicle gateway', 'operator gateway'],
      revocation: ['http gateway', 'operator gateway'],
      gateway: ['operator gateway'],
    };
    expect(edgesOf(policyOf(plain, service).ingress)).toEqual(['http monitoring', ...(wanted[service] ?? [])]);
  });

  it('has every port of its containers in its Service, and no other', () => {
    const { ports } = specOf<{ ports: { name: string; port: number }[] }>(plain, 'Service', service);
    const { template } = specOf<Deployment>(plain, 'Deployment', service);
    const { containers } = template.spec;
    expect(ports.map(({ name, port }) => [name, port])).toEqual(
      containers[0]?.ports.map(({ name, containerPort }) => [name, containerPort]),
    );
  });
});

it('no service reaches another: whatever one has to say to another goes over NATS', () => {
  // Every contract is a message; there is no other kind.
  const talking = new Set(CONTRACTS.flatMap(({ from, to }) => [...from, ...(typeof to === 'string' ? [to] : to)]));
  for (const service of SERVICES) expect(talking).toContain(service);
  const peers = ofKind(plain, 'NetworkPolicy').flatMap(({ spec }) => {
    const { ingress = [], egress = [] } = spec as Policy;
    return [...ingress, ...egress].flatMap(({ from, to }): (Peer | undefined)[] => [...(from ?? to ?? [undefined])]);
  });
  // Nor is there a rule without a peer, which would let in everybody.
  expect(peers).not.toContain(undefined);
  expect(JSON.stringify(peers)).not.toContain('app.kubernetes.io');
});

it('edges reach gateway where it answers them, and the vehicle ports; and neither without edges', () => {
  expect(edgesOf(policyOf(edges, 'gateway').ingress)).toEqual(['http monitoring', 'operator gateway', 'edges edge']);
  expect(edgesOf(policyOf(edges, 'token').ingress)).toContain('vehicle edge');
  expect(JSON.stringify(ofKind(plain, 'NetworkPolicy'))).not.toContain('"edge"');
  expect(JSON.stringify(plain)).not.toContain('8446');
});

it('NATS is reached by Outrider, by its own servers and by monitoring, each on its port', async () => {
  const policies = objectsOf(readFileSync(join(EXAMPLES, 'nats-network-policy.yaml'), 'utf8'));
  for (const policy of policies) expect(await complaintsAbout(policy)).toEqual([]);
  expect(policies.map(({ metadata }) => metadata.namespace)).toEqual(['nats', 'nats']);
  const [deny, nats] = policies.map(({ spec }) => spec as Policy);
  expect(deny).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const servers = JSON.stringify(nats?.podSelector.matchLabels);
  expect(edgesOf(nats?.ingress)).toEqual(['4222 outrider', `6222 ${servers}`, '8222 monitoring']);
  expect(edgesOf(nats?.egress)).toEqual([`6222 ${servers}`, '53 kube-system', '53 kube-system']);
});

describe('routes', () => {
  it('pass TLS on by its name, one of each listener, to the Service of that port', () => {
    const routes = ofKind(plain, 'TLSRoute').map(({ spec }) => {
      const { hostnames, rules } = spec as {
        hostnames: string[];
        rules: { backendRefs: { name: string; port: number }[] }[];
      };
      const [backend] = rules[0]?.backendRefs ?? [];
      return `${hostnames.join()} ${backend?.name}:${backend?.port}`;
    });
    expect(routes.sort()).toEqual([
      'auth.fleet.example.com outrider-token:8442',
      'command.api.fleet.example.com outrider-command:9444',
      'command.fleet.example.com outrider-command:8444',
      'est.fleet.example.com outrider-provisioning:8441',
      'gateway.api.fleet.example.com outrider-gateway:9446',
      'provisioning.api.fleet.example.com outrider-provisioning:9441',
      'revocation.api.fleet.example.com outrider-revocation:9445',
      'telemetry.api.fleet.example.com outrider-telemetry:9443',
      'telemetry.fleet.example.com outrider-telemetry:8443',
      'token.api.fleet.example.com outrider-token:9442',
    ]);
  });

  it('lead strangers to CRL and OCSP, and not to metrics and health on the same port', () => {
    const { rules } = specOf<{ rules: { matches: { path: { value: string } }[] }[] }>(plain, 'HTTPRoute');
    expect(rules.flatMap(({ matches }) => matches.map(({ path }) => path.value))).toEqual(['/crl', '/ocsp']);
  });
});
