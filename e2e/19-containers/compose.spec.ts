/** docker-compose.yml: every service is there, contained, on loopback alone, and no secret is in an environment. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { parse } from 'yaml';
import { PROJECT, SERVICES } from '../harness/endpoints.js';

interface Service {
  readonly image?: string;
  readonly user?: string;
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly build?: { readonly target: string; readonly args?: Readonly<Record<string, string>> };
}

const compose = parse(readFileSync(join(PROJECT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const all = Object.entries(compose.services).map(([name, service]) => ({ name, service }));
const jobs = ['files', 'servers'];
const own = SERVICES.map((name) => ({ name, service: compose.services[name] as Service }));

describe('docker-compose.yml', () => {
  it('has every service of ours, the servers, an edge, and what watches them', () => {
    const names = [...SERVICES, 'postgres', 'nats', 'edge', 'prometheus', ...jobs];
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(names));
  });

  test.each(all)('$name publishes nothing: what it listens on is said to be loopback', ({ service }) => {
    expect(service.network_mode).toBe('host');
    expect(service.ports).toBeUndefined();
    const words = [...(service.command ?? []), ...Object.values(service.environment ?? {})].map(String);
    expect(words.filter((word) => /0\.0\.0\.0|\[::\]|(^|=):\d+$/.test(word))).toEqual([]);
  });

  test.each(all)('$name has a root that is read only, no capability, and no way to more', ({ service }) => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.privileged).toBeUndefined();
  });

  test.each(all)('$name has no secret in its environment', ({ service }) => {
    const secrets = Object.entries(service.environment ?? {}).filter(
      ([name, value]) =>
        (/password|secret|token_?key|passphrase|private|credential/i.test(name) && !/_FILE$/.test(name)) ||
        /-----BEGIN|^[0-9a-f]{32,}$/i.test(String(value)),
    );
    expect(secrets).toEqual([]);
  });

  test.each(all.filter(({ name }) => !jobs.includes(name)))(
    '$name has a health check, none through a shell',
    ({ name, service }) => {
      if (name === 'demo-api' || name === 'grafana') return;
      expect(service.healthcheck?.test?.[0]).toBe('CMD');
    },
  );

  test.each(own)(
    '$name starts after the migrations, from an image of its own, with files of its own',
    ({ name, service }) => {
      expect(service.build).toMatchObject({ target: 'service', args: { SERVICE: name } });
      expect(service.depends_on?.servers?.condition).toBe('service_completed_successfully');
      expect(service.volumes).toEqual([`${name}:/run/outrider:ro`, `${name}-state:/var/lib/outrider`]);
    },
  );

  it('lets nobody but the two jobs see the whole state, where the keys of the CAs are', () => {
    const seeing = all.filter(({ service }) => service.volumes?.some((volume) => volume.startsWith('state:')));
    expect(seeing.map(({ name }) => name).sort()).toEqual(jobs);
  });

  it('declares each volume that it mounts', () => {
    const mounted = all.flatMap(({ service }) => service.volumes ?? []).filter((volume) => !volume.startsWith('./'));
    const names = new Set(mounted.map((volume) => volume.split(':')[0] as string));
    expect([...names].sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  it('runs images of others by a version', () => {
    const foreign = all.map(({ service }) => service.image ?? '').filter((image) => !image.startsWith('outrider/'));
    expect(foreign.filter((image) => !/^docker\.io\/[^:]+:v?\d/.test(image))).toEqual([]);
  });

  it('has Prometheus ask every service, and nobody else', () => {
    const file = join(PROJECT, 'deploy', 'observability', 'prometheus', 'prometheus.yml');
    const { scrape_configs } = parse(readFileSync(file, 'utf8')) as {
      scrape_configs: { static_configs: { targets: string[]; labels: { service: string } }[] }[];
    };
    const targets = scrape_configs.flatMap(({ static_configs }) => static_configs);
    expect(targets.map(({ labels, targets: [first] }) => [labels.service, first])).toEqual(
      SERVICES.map((name, n) => [name, `127.0.0.1:${9100 + n}`]),
    );
  });
});
