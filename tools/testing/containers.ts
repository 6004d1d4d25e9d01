/** The suite in containers, driven from outside: images built and played as `npm run e2e:containers` says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containersEnv, revision, whyNot } from '../deploy/containers/engine.ts';
import { startContainers } from '../deploy/containers/suite.ts';
import { buildImages } from '../deploy/image/build-images.ts';
import { type LocalBase, localBase } from '../deploy/image/local-base.ts';
import { inWords } from '../local/failure.ts';
import { SERVICES } from '../local/services.ts';
import { PROJECT, places, type Settings } from '../local/settings.ts';
import { runJest } from './jest.ts';
import type { Tally } from './tally.ts';

const REGISTRY = 'localhost';
const PREFIX = `${REGISTRY}/outrider`;
/** Not `latest`, nor a commit: the next run takes the names over. */
const TAG = 'e2e';
/** Built twice: the smallest says it as well as the largest. */
const TWICE = 'fleet-ca';

export interface ContainerOptions {
  /** Compiles in the image too, which takes minutes. */
  readonly fromSource: boolean;
}

/** Where no container can be built or run, that is said and skipped. */
export async function runContainerTests(
  tally: Tally,
  settings: Settings,
  { fromSource }: ContainerOptions = { fromSource: false },
): Promise<void> {
  const reason = whyNot();
  if (reason) {
    tally.skipped.push(`the suite in containers: ${reason}`);
    return;
  }
  const folder = join(settings.home, 'containers');
  mkdirSync(folder, { recursive: true });
  const env = containersEnv(folder);
  const base = await baseHere(env, tally);
  if (!base) return;
  const began = performance.now();
  const build = { env, project: PROJECT, prefix: PREFIX, tag: TAG, revision: revision(PROJECT), base: base.base };
  const source = fromSource ? { fromSource: { build: base.build } } : {};
  const images = buildImages({ ...build, ...source, services: SERVICES.map(({ name }) => name) });
  const again = buildImages({ ...build, tag: `${TAG}-again`, services: [TWICE], fresh: true });
  const buildMs = performance.now() - began;
  const suite: Settings = { ...settings, home: join(settings.home, 'suite') };
  const containers = await startContainers(suite, env, { registry: REGISTRY, tag: TAG }, console.error);
  try {
    const facts = join(folder, 'facts.json');
    const { coldStartMs } = containers;
    writeFileSync(facts, JSON.stringify({ images, again, buildMs, coldStartMs, containersConf: env.CONTAINERS_CONF }));
    console.error(
      `  images built in ${seconds(buildMs)}; from images to every service ready in ${seconds(coldStartMs)}`,
    );
    await runJest(tally, {
      name: 'containers',
      args: ['--runInBand', '--config', JSON.stringify(jestConfig())],
      env: {
        OUTRIDER_HOME: suite.home,
        OUTRIDER_PORT_OFFSET: String(suite.portOffset),
        OUTRIDER_E2E_ENDPOINTS: places(suite).endpoints,
        OUTRIDER_E2E_CONTAINERS: facts,
        OUTRIDER_PROJECT: PROJECT,
      },
      resultFile: join(folder, 'jest.json'),
    });
  } finally {
    await containers.stop();
  }
}

/** By a name of their own: no other suite is meant by them. */
function jestConfig(): object {
  return {
    rootDir: join(PROJECT, 'e2e', 'dist'),
    testEnvironment: 'node',
    testMatch: ['**/*.contained.js'],
    runner: join(import.meta.dirname, 'spec-runner', 'runner.mjs'),
    transform: {},
    testTimeout: 120_000,
    testSequencer: join(import.meta.dirname, 'by-path-sequencer.cjs'),
  };
}

/** Debian's mirror away is no defect of ours. */
async function baseHere(env: NodeJS.ProcessEnv, tally: Tally): Promise<LocalBase | undefined> {
  try {
    return await localBase(env, process.execPath);
  } catch (error) {
    console.error(inWords(error));
    tally.skipped.push('the suite in containers: no base image could be made here (debootstrap, see above)');
    return undefined;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
