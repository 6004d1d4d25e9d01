/**
 * `npm run -s deploy:secrets -- --out DIR [--values FILE]... [--set KEY=VALUE]... [--release NAME] [--namespace NAME] [--from HOME]`: makes a
 * fleet's CAs, server certificates, passwords and NATS users below DIR/home, and writes them as Kubernetes Secrets to DIR/manifests.
 * Run again, it keeps what is there and renews certificates that are due. With --from nothing is made: HOME is a suite's own, whose
 * configuration goes to DIR/values.yaml.
 * With --pkcs11-module, --token-label and --pin-file the CAs' keys are made in a token (docs/runbooks/hsm.md). Prints names alone, never a secret.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { makeClusterFleet } from '../deploy/kubernetes/fleet.ts';
import { valuesFromHome } from '../deploy/kubernetes/from-home.ts';
import { deployment } from '../deploy/kubernetes/names.ts';
import { readAbove } from '../deploy/kubernetes/render.ts';
import { secretDocuments, writeSecretDocuments } from '../deploy/kubernetes/secrets.ts';
import { Failure, runCommand } from '../local/failure.ts';
import { writeWhole } from '../local/files.ts';
import { readSettings, type Settings } from '../local/settings.ts';

const USAGE =
  'Usage: npm run -s deploy:secrets -- --out DIR [--values FILE]... [--set KEY=VALUE]... [--release NAME] [--namespace NAME] [--from HOME] [--pkcs11-module FILE --token-label LABEL --pin-file FILE]';

await runCommand(async () => {
  const values = readArguments();
  const out = resolve(values.out);
  requireOutsideGit(out);
  const described = deployment(readAbove(values.values, values.set), {
    name: values.release,
    namespace: values.namespace,
  });
  const home = values.from === undefined ? join(out, 'home') : resolve(values.from);
  const settings: Settings = { ...readSettings({}), home };
  if (values.from === undefined) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const made = await makeClusterFleet(settings, described, tokenOptions(values));
    console.log(made.length > 0 ? `certificates made: ${made.join(', ')}` : 'every certificate is good for longer');
  } else writeWhole(join(out, 'values.yaml'), stringify(valuesFromHome(settings), { lineWidth: 0, version: '1.1' }));
  const documents = secretDocuments(settings, described, values.namespace);
  writeSecretDocuments(documents, join(out, 'manifests'));
  for (const [file, some] of Object.entries(documents)) {
    for (const { kind, metadata } of some)
      console.log(`${join(out, 'manifests', file)}: ${kind} ${metadata.namespace}/${metadata.name}`);
  }
  return 0;
});

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string' },
        from: { type: 'string' },
        values: { type: 'string', short: 'f', multiple: true, default: [] },
        set: { type: 'string', multiple: true, default: [] },
        release: { type: 'string', default: 'outrider' },
        namespace: { type: 'string', short: 'n', default: 'outrider' },
        'pkcs11-module': { type: 'string' },
        'token-label': { type: 'string' },
        'pin-file': { type: 'string' },
      },
    });
    if (!values.out) throw new Error('--out is where they go');
    return { ...values, out: values.out };
  } catch (cause) {
    throw new Failure(`${(cause as Error).message}\n${USAGE}`);
  }
}

/** As the ceremony takes them: all three, or keys are files. */
function tokenOptions(values: Readonly<Record<string, unknown>>): string[] {
  return (['pkcs11-module', 'token-label', 'pin-file'] as const).flatMap((name) => {
    const value = values[name];
    return typeof value === 'string' ? [`--${name}`, value] : [];
  });
}

/**
 * A secret that lies where git looks is committed one day. It is the folder that has to be ignored: below one that is, no pattern takes a
 * file out again. Nor may git know of a file in it from before.
 */
function requireOutsideGit(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const real = realpathSync(folder);
  if (!isInRepository(real)) return;
  if (git(real, 'check-ignore', real) !== undefined && git(real, 'ls-files', '--', '.') === '') return;
  throw new Failure(
    `${folder} is in a git repository that does not ignore all of it: secrets belong elsewhere, e.g. .outrider/kubernetes`,
  );
}

/** Also where git is not installed, or will not look into a repository of somebody else's. */
function isInRepository(folder: string): boolean {
  return existsSync(join(folder, '.git')) || (dirname(folder) !== folder && isInRepository(dirname(folder)));
}

/** What it prints; `undefined` where it fails. */
function git(folder: string, ...args: string[]): string | undefined {
  try {
    return execFileSync('git', ['-C', folder, ...args], { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
  } catch {
    return undefined;
  }
}
