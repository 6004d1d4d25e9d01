/** Helm itself makes of the chart what deploy:render makes of it. */
import { describe, expect, it } from '@jest/globals';
import { must, run } from '../harness/run.js';
import { CHART, type KubernetesObject, objectsOf, rendered, VARIANTS } from './render.js';

// Built by `go install`, it takes itself for a client of a Kubernetes of long ago.
const KUBERNETES = ['--kube-version', '1.33.0'];
const hasHelm = await run('helm', ['version', '--short']).then(
  ({ code }) => code === 0,
  () => false,
);
const withHelm: typeof it = hasHelm ? it : (it.skip as typeof it);
const WANTING = hasHelm ? '' : ' (skipped: helm is not on the path)';

const byName = (objects: readonly KubernetesObject[]) =>
  Object.fromEntries(objects.map((object) => [`${object.kind}/${object.metadata.name}`, object]));

describe('helm', () => {
  withHelm(`lint finds nothing${WANTING}`, async () => {
    const { stdout } = await must('helm', ['lint', '--strict', ...KUBERNETES, CHART]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  withHelm(
    `template gives the same objects, for all values that are tried${WANTING}`,
    async () => {
      const ours = await rendered(Object.keys(VARIANTS));
      for (const [variant, files] of Object.entries(VARIANTS)) {
        const values = files.flatMap((file) => ['--values', file]);
        const { stdout } = await must('helm', [
          'template',
          'outrider',
          CHART,
          '--namespace',
          'outrider',
          ...KUBERNETES,
          ...values,
        ]);
        // Hooks are Helm's own: the test pod.
        const theirs = objectsOf(stdout).filter(({ metadata }) => !metadata.annotations?.['helm.sh/hook']);
        expect([variant, byName(theirs)]).toEqual([variant, byName(ours.get(variant) ?? [])]);
      }
    },
    295_000,
  );

  withHelm(`refuses values that the schema does not know${WANTING}`, async () => {
    const { code, stderr } = await run('helm', ['template', CHART, ...KUBERNETES, '--set', 'nats.urls=x']);
    expect(code).toBe(1);
    // Each Helm words it in its own way.
    expect(stderr).toMatch(/urls.*not allowed/);
  });
});
