/**
 * `npm run deploy:images [-- --service NAME]... [--prefix P] [--tag T] [--base IMAGE] [--from-source] [--fresh] [--json]`: every service's image
 * with buildah. Without --base one is made here (debootstrap): no registry is needed. --from-source compiles in the image too, as `docker build` does.
 */
import { parseArgs } from 'node:util';
import { containersEnv, revision, whyNot } from '../deploy/containers/engine.ts';
import { buildImages } from '../deploy/image/build-images.ts';
import { localBase } from '../deploy/image/local-base.ts';
import { Failure, runCommand } from '../local/failure.ts';
import { SERVICES } from '../local/services.ts';
import { PROJECT } from '../local/settings.ts';
import { table } from '../local/terminal.ts';

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      service: { type: 'string', multiple: true, default: SERVICES.map(({ name }) => name) },
      prefix: { type: 'string', default: 'localhost/outrider' },
      tag: { type: 'string', default: revision(PROJECT) },
      base: { type: 'string' },
      build: { type: 'string' },
      'from-source': { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const reason = whyNot();
  if (reason) throw new Failure(`No image can be built: ${reason}.`);
  const env = containersEnv();
  const local = values.base ? undefined : await localBase(env, process.execPath);
  const { service: services, prefix, tag, fresh } = values;
  const base = values.base ?? local?.base ?? '';
  const build = values.build ?? local?.build ?? base;
  const images = buildImages({
    ...{ env, project: PROJECT, services, prefix, tag, revision: revision(PROJECT), base, fresh },
    ...(values['from-source'] ? { fromSource: { build } } : {}),
  });
  if (values.json) console.log(JSON.stringify(images, null, 2));
  else
    console.log(
      table([
        ['image', 'MB', 'application layer'],
        ...images.map(({ name, bytes, layers }) => [name, (bytes / 1e6).toFixed(1), layers.at(-1) ?? '']),
      ]),
    );
  return 0;
});
