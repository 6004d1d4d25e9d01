/** Every way of installing it: objects that an API server takes, pods that `restricted` admits, configurations that the services take. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { SERVICES } from '@outrider/ids';
import { parse } from 'yaml';
import { PROJECT } from '../harness/project.js';
import { run } from '../harness/run.js';
import {
  CHART,
  componentOf,
  type KubernetesObject,
  objectsOf,
  ofKind,
  podsOf,
  render,
  rendered,
  VARIANTS,
} from './render.js';
import { breachesOfRestricted, type Pod } from './restricted.js';
import { complaintsAbout } from './schemas.js';

let objects: Map<string, KubernetesObject[]>;
beforeAll(async () => {
  objects = await rendered(Object.keys(VARIANTS));
}, 295_000);

describe.each(Object.keys(VARIANTS))('%s', (variant) => {
  const all = () => objects.get(variant) ?? [];

  it('are objects of their kinds, and say nothing that their schemas do not know', async () => {
    expect(all().length).toBeGreaterThan(15);
    const complaints = await Promise.all(
      all().map(async (object) => [object.metadata.name, await complaintsAbout(object)]),
    );
    expect(complaints.filter(([, found]) => found?.length)).toEqual([]);
  });

  it('no two have the same name, and every pod is admitted under `restricted`', () => {
    const names = all().map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
    // On one machine the host's network is the whole point.
    const allowed = variant === 'podman' ? ['host namespaces: hostNetwork'] : [];
    for (const [name, pod] of podsOf(all())) expect([name, breachesOfRestricted(pod as Pod)]).toEqual([name, allowed]);
  });

  it('every pod goes without a token of the Kubernetes API and without a file system to write to', () => {
    for (const [, pod] of podsOf(all())) {
      expect(pod.automountServiceAccountToken).toBe(false);
      for (const { securityContext } of [...(pod.initContainers ?? []), ...pod.containers] as {
        securityContext?: object;
      }[])
        expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    }
  });
});

describe('one service', () => {
  it.each([...SERVICES])('%s rolls without a gap, and stops no sooner than it has drained', (service) => {
    const deployment = ofKind(objects.get('defaults') ?? [], 'Deployment').find((one) => componentOf(one) === service);
    // What the runbook of a rolling restart selects.
    expect(deployment?.metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'outrider' });
    expect(deployment?.spec).toMatchObject({
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    });
    const [[, pod] = []] = podsOf(deployment ? [deployment] : []);
    const [container] = pod?.containers ?? [];
    expect(container?.startupProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(container?.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(container?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
    const config = ofKind(objects.get('defaults') ?? [], 'ConfigMap').find((one) => componentOf(one) === service);
    const { shutdown } = JSON.parse(config?.data?.['config.json'] ?? '{}') as {
      shutdown: { drainDelayMs: number; finishMs: number };
    };
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan((shutdown.drainDelayMs + shutdown.finishMs) / 1000 + 5);
    expect(pod?.topologySpreadConstraints).toHaveLength(2);
  });

  it('the chart has the ports and the memory of tools/local/services.ts', async () => {
    const { stdout } = await run(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { serviceFacts } from ${JSON.stringify(join(PROJECT, 'tools/deploy/kubernetes/names.ts'))}; console.log(JSON.stringify(serviceFacts()))`,
    ]);
    expect(parse(readFileSync(join(CHART, 'files', 'services.yaml'), 'utf8'))).toEqual(JSON.parse(stdout));
  });
});

describe('values', () => {
  it('that the schema does not know are refused by name', async () => {
    const { code, stderr } = await render([], ['nats.urls=nats://elsewhere']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('nats: must NOT have additional properties {"additionalProperty":"urls"}'),
    ]);
  });

  it('of autoscaling with a minimum over the maximum are refused by name', async () => {
    const { code, stderr } = await render([], ['services.token.autoscaling.max=1']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('services.token.autoscaling: min is more than max')]);
  });

  it('over the defaults count, and null takes a default away', async () => {
    const made = objectsOf(
      (await render([], ['services.token.config.signingKeys.signSeconds=7200', 'pod.userId=null'])).stdout,
    );
    const config = ofKind(made, 'ConfigMap').find((one) => componentOf(one) === 'token')?.data?.['config.json'];
    expect(JSON.parse(config ?? '{}')).toMatchObject({ signingKeys: { signSeconds: 7200, publishSeconds: 600 } });
    for (const [, pod] of podsOf(made)) expect(JSON.stringify(pod)).not.toContain('runAsUser');
  });
});
