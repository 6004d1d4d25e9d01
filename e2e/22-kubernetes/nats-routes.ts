/** nats-servers on loopback whose routes are held to what nats-values.yaml says of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import { file, inFolder } from '../harness/folder.js';
import { EXAMPLES } from './render.js';

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

interface NatsValues {
  readonly config: {
    readonly cluster: { readonly replicas: number; readonly tls: { readonly merge?: object } };
  };
}

/** The names that NATS' own chart routes by, for the release `nats`. */
export const POD_NAMES = [0, 1, 2].map((n) => `nats-${n}.nats-headless`);

const { cluster } = (parse(readFileSync(join(EXAMPLES, 'nats-values.yaml'), 'utf8')) as NatsValues).config;

export class Node {
  private constructor(
    readonly route: number,
    private readonly monitor: number,
    private readonly child: ChildProcess,
    private readonly log: string,
  ) {}

  /** `others`: route ports of nodes to join. Pods' names do not resolve here: they are known, and the addresses are what is called. */
  static async start(name: string, { cert, key }: KeyPair, ca: string, others: readonly number[]): Promise<Node> {
    const [client, route, monitor] = [await freePort(), await freePort(), await freePort()];
    const known = [...POD_NAMES.map((pod) => `tls://${pod}:6222`), ...others.map((port) => `tls://127.0.0.1:${port}`)];
    const log = inFolder(`${name}.log`);
    const config = {
      log_file: log,
      server_name: name,
      listen: `127.0.0.1:${client}`,
      http: `127.0.0.1:${monitor}`,
      cluster: {
        name: 'nats',
        listen: `127.0.0.1:${route}`,
        no_advertise: true,
        routes: known,
        tls: { cert_file: cert, key_file: key, ca_file: ca, verify: true, ...cluster.tls.merge },
      },
    };
    const child = spawn('nats-server', ['-c', file(`${name}.conf`, JSON.stringify(config))], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });
    child.on('error', () => {});
    return new Node(route, monitor, child, log);
  }

  /** Its own id, and those of the nodes that it has a route with, each once and sorted. */
  async routes(): Promise<{ id: string; peers: string[] }> {
    const answer = await fetch(`http://127.0.0.1:${this.monitor}/routez`);
    const { server_id: id, routes = [] } = (await answer.json()) as {
      server_id: string;
      routes?: { remote_id: string }[];
    };
    return { id, peers: [...new Set(routes.map(({ remote_id: peer }) => peer))].sort() };
  }

  said(words: string): boolean {
    return readFileSync(this.log, 'utf8').includes(words);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.pid === undefined) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
