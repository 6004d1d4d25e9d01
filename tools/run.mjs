#!/usr/bin/env node
/**
 * The one door of every npm script: `node tools/run.mjs <command> [arguments]`. Needs Node 20 or newer and nothing else.
 * It installs and builds what is missing or older than its source, then runs the command on the pinned Node 24.
 * When all is fresh it only compares stamps, and prints nothing of its own; what it prints goes to standard error.
 */
import { spawn } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './bootstrap/build.mjs';
import { installPackages, installRuntime, searchPath } from './bootstrap/install.mjs';
import { withLock } from './bootstrap/lock.mjs';
import { StageFailure } from './bootstrap/progress.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each command runs, and whether it needs the packages built first. */
const commands = {
  start: { script: 'tools/commands/start.ts', build: true },
  stop: { script: 'tools/commands/stop.ts' },
  status: { script: 'tools/commands/status.ts' },
  'check-config': { script: 'tools/commands/check-config.ts', build: true },
  reset: { script: 'tools/commands/reset.ts' },
  demo: { script: 'tools/commands/demo.ts', build: true },
  attack: { script: 'tools/commands/attack.ts', build: true },
  ca: { script: 'tools/commands/ca.ts', build: true },
  'deploy:render': { script: 'tools/commands/deploy-render.ts' },
  'deploy:secrets': { script: 'tools/commands/deploy-secrets.ts', build: true },
  outrider: { script: 'apps/cli/dist/main.js', build: true },
  vehicle: { script: 'apps/vehicle/dist/main.js', build: true },
  build: { build: true },
  lint: { script: 'tools/commands/lint.ts', build: true },
  audit: { script: 'tools/commands/audit.ts' },
  format: { script: 'tools/commands/format.ts' },
  test: { script: 'tools/commands/test.ts', build: true },
  'test:long': { script: 'tools/commands/test.ts', build: true, env: { OUTRIDER_TEST_LONG: '1' } },
  bench: { script: 'tools/commands/bench.ts', build: true },
  capacity: { script: 'bench/dist/capacity/capacity.command.js', build: true },
  'deploy:images': { script: 'tools/commands/deploy-images.ts', build: true },
  'deploy:sbom': { script: 'tools/commands/deploy-sbom.ts', build: true },
  'e2e:containers': { script: 'tools/commands/e2e-containers.ts', build: true },
  'e2e:upgrade': { script: 'tools/commands/e2e-upgrade.ts', build: true },
  'image:pack': { script: 'tools/deploy/image/pack.command.ts', build: true },
};

process.exitCode = await main(process.argv[2], process.argv.slice(3));

async function main(name, args) {
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (!command) {
    console.error(`Usage: node tools/run.mjs <command>, one of: ${Object.keys(commands).join(', ')}`);
    return 2;
  }
  if (Number(process.versions.node.split('.')[0]) < 20) {
    console.error(`Outrider needs Node 20 or newer to start from; this is ${process.version}.`);
    return 1;
  }
  try {
    const runtime = await withLock(root, async () => {
      const installed = await installRuntime(root);
      await installPackages(root, installed);
      if (command.build) await build(root, installed);
      return installed;
    });
    return command.script ? await run(runtime, command, name, args) : 0;
  } catch (error) {
    if (!(error instanceof StageFailure)) throw error;
    console.error(error.message);
    // Whoever counts tests must not take a build that failed for a run without failures.
    if (name.startsWith('test')) console.log('0 passed, 1 failed');
    return 1;
  }
}

/** Runs the command on the pinned Node, with our terminal, and returns its exit code. */
function run(runtime, command, name, args) {
  const child = spawn(runtime.node, [join(root, command.script), ...args], {
    stdio: 'inherit',
    cwd: workingDirectory(name),
    env: {
      ...process.env,
      ...command.env,
      PATH: searchPath(runtime),
      OUTRIDER_PROJECT: root,
      OUTRIDER_HOME: resolve(root, process.env.OUTRIDER_HOME || '.outrider'),
    },
  });
  // A terminal's Ctrl-C reaches the child by itself; the others must be passed on. Commands take a second signal calmly.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => done(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9)));
  });
}

/** npm moves to the project before it runs a script; file arguments are meant from where the user stood. */
function workingDirectory(name) {
  const byNpm = process.env.npm_lifecycle_event === name && process.cwd() === root;
  return byNpm && process.env.INIT_CWD ? process.env.INIT_CWD : process.cwd();
}
