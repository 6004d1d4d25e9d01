/**
 * Keeps the maps of a HAProxy edge as the denylist is (deploy/edge/haproxy), so that the edge itself refuses whom it names:
 *   edge-map.command.js --gateway https://HOST:8446 --certificate FILE --key FILE --trust FILE --socket RUNTIME.SOCK --maps FOLDER
 * Runs until it is stopped. Exit codes: 0 stopped, 2 bad usage.
 */
import { parseArgs } from 'node:util';
import { EdgeMap } from './edge-map/edge-map.client.js';
import { HaproxyRuntime } from './edge-map/haproxy-runtime.client.js';

const OPTIONS = ['gateway', 'certificate', 'key', 'trust', 'socket', 'maps'] as const;

function readArguments(): Record<(typeof OPTIONS)[number], string> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: Object.fromEntries(OPTIONS.map((name) => [name, text])) });
  const missing = OPTIONS.filter((name) => !values[name]);
  if (missing.length > 0) throw new Error(`missing: ${missing.map((name) => `--${name}`).join(' ')}`);
  return values as Record<(typeof OPTIONS)[number], string>;
}

function main(): void {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
  const folder = given.maps.replace(/\/+$/, '');
  const map = new EdgeMap({
    gateway: given.gateway.replace(/\/+$/, ''),
    certificateFile: given.certificate,
    keyFile: given.key,
    trustFile: given.trust,
    folder,
    runtime: new HaproxyRuntime(given.socket, folder),
    say: (line) => process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      map.stop();
      process.exit(0);
    });
  void map.run();
}

main();
