/** deploy:secrets gives every pod what its configuration names, each service its own, and keeps what no pod may have. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { SERVICES } from '@outrider/ids';
import pg from 'pg';
import { query } from '../harness/database.js';
import { endpoints } from '../harness/endpoints.js';
import { inFolder } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { PROJECT } from '../harness/project.js';
import { must, run } from '../harness/run.js';
import { until } from '../harness/until.js';
import { Node, POD_NAMES } from './nats-routes.js';
import { layOut, mountsOf, type Volumes, volumesOf } from './pod-view.js';
import { componentOf, type KubernetesObject, objectsOf, ofKind, podsOf, rendered, tool } from './render.js';

const OUT = inFolder('kubernetes');
const HOME = join(OUT, 'home');
const MANIFESTS = join(OUT, 'manifests');
/** Of others: CloudNativePG's CA, and the PIN of a token. */
const FROM_ELSEWHERE = ['Secret/outrider-postgres-ca', 'Secret/outrider-hsm-pin'];

let printed: string;
let variants: Map<string, KubernetesObject[]>;
let made: KubernetesObject[];
let volumes: Volumes;

beforeAll(async () => {
  const { code, stdout, stderr } = await tool('deploy-secrets', '--out', OUT);
  if (code !== 0) throw new Error(stderr);
  printed = stdout + stderr;
  made = readdirSync(MANIFESTS).flatMap((name) => objectsOf(readFileSync(join(MANIFESTS, name), 'utf8')));
  variants = await rendered(['defaults', 'keys in a token', 'edges']);
  volumes = new Map([
    ...volumesOf(made),
    [
      'Secret/outrider-postgres-ca',
      { 'ca.crt': readFileSync(join(HOME, 'fleet', 'trust', 'server-trust.pem'), 'utf8') },
    ],
    ['Secret/outrider-hsm-pin', { pin: '1234\n' }],
  ]);
}, 295_000);

const passwords = () =>
  readdirSync(join(HOME, 'secrets'))
    .filter((name) => !name.endsWith('.json'))
    .map((name) => readFileSync(join(HOME, 'secrets', name), 'utf8').trim());

describe('the files', () => {
  it('are for their owner alone, and nothing secret was printed', () => {
    for (const name of readdirSync(MANIFESTS))
      expect([name, statSync(join(MANIFESTS, name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(statSync(MANIFESTS).mode & 0o777).toBe(0o700);
    expect(passwords().length).toBeGreaterThan(20);
    for (const password of passwords()) expect(printed).not.toContain(password);
    expect(printed).toContain('Secret outrider/outrider-token');
  });

  it('do not change when all is good, and are refused where git would find them', async () => {
    const before = readdirSync(MANIFESTS).map((name) => readFileSync(join(MANIFESTS, name), 'utf8'));
    const again = await tool('deploy-secrets', '--out', OUT);
    expect(again.stdout).toContain('every certificate is good for longer');
    expect(readdirSync(MANIFESTS).map((name) => readFileSync(join(MANIFESTS, name), 'utf8'))).toEqual(before);
    const inClone = await tool('deploy-secrets', '--out', join(PROJECT, 'deploy'));
    expect([inClone.code, inClone.stderr]).toEqual([1, expect.stringContaining('git repository')]);
  }, 280_000);

  it.each([
    ['ignores the manifests alone', 'manifests/\n'],
    ['takes the home out again', '/kept/*\n!/kept/home/\n'],
  ])('are refused in a repository that %s', async (_what, ignored) => {
    const clone = mkdtempSync(inFolder('clone-'));
    await must('git', ['init', '-q', clone]);
    writeFileSync(join(clone, '.gitignore'), ignored);
    const { code, stderr } = await tool('deploy-secrets', '--out', join(clone, 'kept'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('git repository')]);
    expect(readdirSync(join(clone, 'kept'))).toEqual([]);
  });

  it('are refused in a folder of which git knows a file from before', async () => {
    const clone = mkdtempSync(inFolder('clone-'));
    const passphrase = join(clone, 'kept', 'home', 'secrets', 'fleet-ca-passphrase');
    mkdirSync(dirname(passphrase), { recursive: true });
    writeFileSync(passphrase, 'of an earlier day');
    await must('git', ['init', '-q', clone]);
    await must('git', ['-C', clone, 'add', '.']);
    writeFileSync(join(clone, '.gitignore'), 'kept/\n');
    const { code, stderr } = await tool('deploy-secrets', '--out', join(clone, 'kept'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('git repository')]);
  });

  it('keep the keys of the root and of the infrastructure CA at home', () => {
    const all = JSON.stringify([...volumes]);
    for (const name of ['fleet-root', 'infrastructure-ca']) {
      const [, line = 'no key'] = readFileSync(join(HOME, 'fleet', 'keys', `${name}.key`), 'utf8').split('\n');
      expect(all).not.toContain(line);
    }
    expect(
      Object.keys(volumes.get('Secret/outrider-ca') ?? {})
        .filter((key) => key.endsWith('.key'))
        .sort(),
    ).toEqual(['keys--control-ca.key', 'keys--vehicle-ca.key']);
  });
});

describe('a pod', () => {
  it('mounts what is its own: no Secret goes to two services, and the CA keys to fleet-ca alone', () => {
    const holders = new Map<string, string[]>();
    for (const deployment of ofKind(variants.get('defaults') ?? [], 'Deployment')) {
      const [[, pod] = []] = podsOf([deployment]);
      for (const container of pod ? [...(pod.initContainers ?? []), ...pod.containers] : [])
        for (const [, source] of pod ? mountsOf(pod, container) : [])
          holders.set(source, [...(holders.get(source) ?? []), `${componentOf(deployment)}/${container.name}`]);
    }
    for (const service of SERVICES) {
      expect(holders.get(`Secret/outrider-${service}`)).toEqual([`${service}/${service}`]);
      expect(holders.get(`Secret/outrider-${service}-tls`)).toEqual([`${service}/${service}`]);
      // The owner role's password is where migrations are run, and not where requests are answered.
      expect(holders.get(`Secret/outrider-${service}-owner`)).toEqual([`${service}/migrate`]);
    }
    expect(holders.get('Secret/outrider-ca')).toEqual(['fleet-ca/fleet-ca']);
    expect(holders.has('Secret/outrider-provisioner')).toBe(false);
  });

  it('finds every file that its configuration names, and the service takes both by --check-config', async () => {
    const tried: [string, string][] = [
      ...SERVICES.map((service): [string, string] => ['defaults', service]),
      ['keys in a token', 'fleet-ca'],
      ['edges', 'gateway'],
    ];
    const refused: unknown[] = [];
    const worker = async () => {
      for (let next = tried.shift(); next; next = tried.shift()) {
        const complaint = await checked(...next);
        if (complaint) refused.push([...next, complaint]);
      }
    };
    await Promise.all([worker(), worker()]);
    expect(refused).toEqual([]);
  }, 295_000);
});

async function checked(variant: string, service: string): Promise<string | undefined> {
  const objects = variants.get(variant) ?? [];
  const deployment = ofKind(objects, 'Deployment').find((one) => componentOf(one) === service);
  const [[, pod] = []] = deployment ? podsOf([deployment]) : [];
  if (!pod) return 'no pod';
  const root = inFolder(`pod-${variant.replaceAll(' ', '-')}-${service}`);
  const missing = layOut(pod, new Map([...volumesOf(objects), ...volumes]), root).filter(
    (one) => !FROM_ELSEWHERE.includes(one),
  );
  if (missing.length > 0) return `nobody has ${missing.join(', ')}`;
  const config = join(root, 'etc', 'outrider', 'config.json');
  const moved = readFileSync(config, 'utf8')
    .replaceAll('"/run/outrider/', `"${root}/run/outrider/`)
    .replaceAll('"/outrider/policies"', JSON.stringify(join(PROJECT, 'policies')))
    .replaceAll('"/outrider/catalogue"', JSON.stringify(join(PROJECT, 'apps', 'command', 'catalogue')))
    // The token's library is in the container's image.
    .replace(/"module": "[^"]*"/, `"module": ${JSON.stringify(config)}`);
  await must('cp', [config, `${config}.as-mounted`]);
  await must('tee', [config], { input: moved });
  const { code, stderr } = await run(
    process.execPath,
    [join(PROJECT, 'apps', service, 'dist', 'main.js'), '--config', config, '--check-config'],
    { timeoutMs: 280_000, env: { NODE_COMPILE_CACHE: join(PROJECT, '.nx', 'compile-cache') } },
  );
  return code === 0 && stderr === '' ? undefined : `exit ${code}: ${stderr}`;
}

describe('the servers', () => {
  it('PostgreSQL lets a role in by the verifier that its script has', async () => {
    const script = readFileSync(join(HOME, 'database.sql'), 'utf8');
    const [, verifier = ''] = /ALTER ROLE token WITH LOGIN NOINHERIT PASSWORD '([^']+)'/.exec(script) ?? [];
    expect(verifier).toMatch(/^SCRAM-SHA-256\$/);
    for (const password of passwords()) expect(script).not.toContain(password);
    const role = `e2e_kubernetes_${process.pid}`;
    await query(`CREATE ROLE ${role} LOGIN PASSWORD '${verifier}'`);
    try {
      const { host, port } = endpoints.database;
      const login = async (password: string) => {
        const client = new pg.Client({ host, port, database: 'postgres', user: role, password });
        client.on('error', () => {});
        await client.connect();
        await client.end();
      };
      await login(readFileSync(join(HOME, 'secrets', 'postgres-token'), 'utf8').trim());
      await expect(login('another')).rejects.toThrow(/authentication failed/);
    } finally {
      await query(`DROP ROLE ${role}`);
    }
  });

  itWith(['nats-server'])('nats-server takes the users that are made for it', async () => {
    const config = inFolder('kubernetes-nats.conf');
    await must('tee', [config], { input: `include ${JSON.stringify('kubernetes/home/nats/authorization.conf')}\n` });
    const { code, stderr } = await run('sh', ['-c', 'PATH=$PATH:/usr/sbin nats-server -t -c "$0"', config]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('is valid')]);
  });

  itWith(['nats-server'])(
    'three nodes of NATS take each other as routes, and nobody by the certificate of another service',
    async () => {
      const keyPair = (name: string) => {
        const at = (end: string) => join(HOME, 'fleet', 'services', `${name}.${end}`);
        return { cert: at('crt'), key: at('key') };
      };
      const ca = join(HOME, 'fleet', 'trust', 'server-trust.pem');
      const nodes: Node[] = [];
      const start = async (name: string, certificate: string) => {
        const others = nodes.map(({ route }) => route);
        const node = await Node.start(name, keyPair(certificate), ca, others);
        nodes.push(node);
        return node;
      };
      try {
        for (const name of ['nats-0', 'nats-1', 'nats-2']) await start(name, 'nats');
        const three = nodes.slice();
        const met = () => Promise.all(three.map((node) => node.routes()));
        const all = async () => (await met()).every(({ peers }) => peers.length === 2);
        await until('all three have met', all, { withinMs: 20_000 });
        const impostor = await start('impostor', 'telemetry');
        await until('the impostor is refused', () => impostor.said('Authorization Violation'), { withinMs: 20_000 });
        const seen = await met();
        for (const { id, peers } of seen)
          expect(peers).toEqual(seen.flatMap((one) => (one.id === id ? [] : one.id)).sort());
        expect((await impostor.routes()).peers).toEqual([]);
      } finally {
        await Promise.all(nodes.map((node) => node.stop()));
      }
    },
    90_000,
  );

  it('the names of the routes are in the certificate of NATS, and in no other', () => {
    const certificateOf = (name: string) => volumes.get(`Secret/outrider-${name}-tls`)?.['tls.crt'];
    const namesOf = (certificate = '') => new X509Certificate(certificate).subjectAltName?.split(', ') ?? [];
    for (const pod of POD_NAMES) {
      expect(namesOf(certificateOf('nats'))).toContain(`DNS:${pod}`);
      for (const service of SERVICES) expect(namesOf(certificateOf(service))).not.toContain(`DNS:${pod}`);
    }
  });
});
