/** `npm run ca -- ...`: the fleet-ca ceremony with the suite's own paths; what it prints is JSON, one line for each thing done. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, runCommand } from '../local/failure.ts';
import { renewServers, runCeremony } from '../local/fleet.ts';
import { places, readSettings, type Settings } from '../local/settings.ts';

const USAGE = `Usage: npm run -s ca -- ...
  show                                            every authority and the state of its generations
  rollover AUTHORITY                              a new key and certificate, trusted from now on
  activate AUTHORITY GENERATION [--min-wait S]    sign with it; refused before every service knows it (60 s)
  retire AUTHORITY GENERATION [--force] [--longest-lifetime S] [--distrust]
                                                  trust it no more; refused while its certificates may live
  servers                                         renew server certificates that are due, and their chains
AUTHORITY: fleet-root, vehicle-ca, infrastructure-ca, control-ca, ... See docs/runbooks/roll-over-the-issuing-ca.md.`;

await runCommand(async () => {
  const [verb, ...args] = process.argv.slice(2);
  const settings = readSettings();
  if (verb === 'show' && args.length === 0) return show(settings);
  if (verb === 'servers' && args.length === 0) return servers(settings);
  const [authority, ...rest] = args;
  if (!authority?.match(/^[a-z]/)) return usage();
  if (verb === 'rollover' && rest.length === 0) return step(settings, verb, '--authority', authority);
  const [generation, ...flags] = rest;
  if ((verb !== 'activate' && verb !== 'retire') || !generation?.match(/^\d+$/)) return usage();
  return step(settings, verb, '--authority', authority, '--generation', generation, ...flags);
});

/** The step, then the chains of the servers: after a step with the root, or with their own CA, they say something else. */
async function step(settings: Settings, verb: string, ...args: string[]): Promise<number> {
  process.stdout.write(await runCeremony(settings, verb, ...args));
  return servers(settings);
}

async function servers(settings: Settings): Promise<number> {
  console.log(JSON.stringify({ servers: await renewServers(settings) }));
  return 0;
}

function show(settings: Settings): number {
  const file = join(places(settings).fleet, 'authorities.json');
  let manifest: Record<string, { generations: { generation: number; state: string; since: string }[] }>;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Failure(`${file}: ${(cause as Error).message}`);
  }
  for (const [authority, { generations }] of Object.entries(manifest)) {
    for (const { generation, state, since } of generations) {
      console.log(JSON.stringify({ authority, generation, state, since }));
    }
  }
  return 0;
}

function usage(): number {
  console.error(USAGE);
  return 2;
}
