/** Our own nats-server: its configuration, its process, and whether it is up with JetStream. */
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildSpec } from './child.ts';
import { Failure } from './failure.ts';
import { writeWhole } from './files.ts';
import type { NatsBinary } from './nats-binary.ts';

export interface NatsServer {
  readonly port: number;
  /** Its configuration and its store. */
  readonly folder: string;
  readonly logFile: string;
  /** A file with the `authorization` block, in `folder` or above it. */
  readonly authorizationFile: string;
  /** Of a node: its name; the port of its own for the others, and theirs. */
  readonly name?: string;
  readonly cluster?: { readonly route: number; readonly others: readonly number[]; readonly password: string };
}

/** A route says and hears everything: whoever else is on the machine is none. */
export const ROUTE_USER = 'routes';

/** Writes the server's configuration. Returns its file. */
export function writeNatsConfig(server: NatsServer): string {
  const file = join(server.folder, 'nats-server.conf');
  writeWhole(
    file,
    [
      '# Written by npm start. The store is synced by the server every two minutes (2.9 cannot do otherwise):',
      '# what must not be lost is committed in PostgreSQL first, and published again from its outbox.',
      `server_name: ${server.name ?? 'outrider'}`,
      `listen: "127.0.0.1:${server.port}"`,
      'max_payload: 4MB',
      'max_pending: 64MB',
      'write_deadline: "5s"',
      `jetstream { store_dir: ${JSON.stringify(server.folder)}, max_memory_store: 128MB, max_file_store: 8GB }`,
      ...clusterBlock(server),
      // Read relative to this file, whatever it says.
      `include ${JSON.stringify(relative(server.folder, server.authorizationFile))}`,
      '',
    ].join('\n'),
  );
  return file;
}

function clusterBlock({ cluster }: NatsServer): string[] {
  if (!cluster) return [];
  const { route, others, password } = cluster;
  const routes = others.map((port) => `"nats://${ROUTE_USER}:${password}@127.0.0.1:${port}"`).join(', ');
  const authorization = `authorization { user: ${ROUTE_USER}, password: "${password}" }`;
  const network = `listen: "127.0.0.1:${route}", routes: [${routes}], no_advertise: true`;
  return [`cluster { name: outrider, ${network}, ${authorization} }`];
}

export function natsChild(server: NatsServer, binary: NatsBinary): ChildSpec {
  const file = writeNatsConfig(server);
  const common = {
    name: server.name ?? 'nats',
    logFile: server.logFile,
    stopSignal: 'SIGTERM',
    graceMs: 10_000,
  } as const;
  if (binary.kind === 'process') return { ...common, program: binary.program, args: ['-c', file] };
  const user = `${process.getuid?.()}:${process.getgid?.()}`;
  return {
    ...common,
    program: 'docker',
    // The host's network, so that the server binds to loopback like every other part.
    args: [
      'run',
      '--rm',
      '--init',
      '--name',
      `outrider-nats-${server.port}`,
      '--network',
      'host',
      '--user',
      user,
      '--volume',
      `${server.folder}:${server.folder}`,
      'nats:2.11-alpine',
      '-c',
      file,
    ],
  };
}

/** Waits until the server, or one of several with commas between, greets with JetStream on. Throws a Failure once `giveUp` says so. */
export async function waitForNats(urls: string, giveUp: () => boolean): Promise<void> {
  await Promise.any(urls.split(',').map((url) => waitForNode(url.trim(), giveUp))).catch((error: AggregateError) => {
    throw error.errors[0];
  });
}

async function waitForNode(url: string, giveUp: () => boolean): Promise<void> {
  const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`);
  for (;;) {
    const greeting = await greet(hostname, Number(port || 4222));
    if (greeting?.jetstream) return;
    if (giveUp()) {
      throw new Failure(
        greeting ? `The NATS at ${url} runs without JetStream.` : `The NATS at ${url} does not answer.`,
      );
    }
    await sleep(50);
  }
}

/** The INFO line that a NATS server opens with. */
function greet(host: string, port: number): Promise<{ jetstream?: boolean } | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port });
    const end = (info?: { jetstream?: boolean }) => {
      socket.destroy();
      done(info);
    };
    socket.setTimeout(2000, () => end());
    socket.once('error', () => end());
    socket.once('data', (chunk) => {
      const line = /^INFO (\{.*\})/.exec(chunk.toString());
      end(line ? (JSON.parse(line[1] as string) as { jetstream?: boolean }) : undefined);
    });
  });
}
