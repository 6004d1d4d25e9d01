/**
 * `npm run -s deploy:render -- [--values FILE]... [--set KEY=VALUE]... [--release NAME] [--namespace NAME] [--out DIR]`: the plain
 * manifests of the Helm chart in deploy/helm/outrider, without Helm; to standard output, or a file each into a folder.
 */
import { parseArgs } from 'node:util';
import { renderOutrider, writeManifests } from '../deploy/kubernetes/render.ts';
import { Failure, runCommand } from '../local/failure.ts';

const USAGE =
  'Usage: npm run -s deploy:render -- [--values FILE]... [--set KEY=VALUE]... [--release NAME] [--namespace NAME] [--out DIR]';

await runCommand(async () => {
  const { values, files, sets } = readArguments();
  const manifests = renderOutrider({ files, sets, release: { name: values.release, namespace: values.namespace } });
  const written = writeManifests(manifests, values.out);
  if (values.out) console.error(`${manifests.length} objects in ${written} files in ${values.out}`);
  return 0;
});

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        values: { type: 'string', short: 'f', multiple: true, default: [] },
        set: { type: 'string', multiple: true, default: [] },
        release: { type: 'string', default: 'outrider' },
        namespace: { type: 'string', short: 'n', default: 'outrider' },
        out: { type: 'string' },
      },
    });
    return { values, files: values.values, sets: values.set };
  } catch (cause) {
    throw new Failure(`${(cause as Error).message}\n${USAGE}`);
  }
}
