/** Edge proxies before the suite, as deploy/edge has them, each a real process; and what a vehicle asks through them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { at, endpoints, PROJECT } from './endpoints.js';
import { file, inFolder } from './folder.js';
import { until } from './until.js';

const { edge } = endpoints;
const DEPLOY = join(PROJECT, 'deploy', 'edge');
const CONNECTIONS_PER_ADDRESS = 600;

/** Where Debian's packages put them. */
export const NGINX = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((program) => existsSync(program));
export const HAPROXY = ['/usr/sbin/haproxy', '/usr/bin/haproxy'].find((program) => existsSync(program));

export type EdgeName = 'nginx' | 'haproxy';
/** Those that this machine has; the others' tests are skipped, and say so. */
export const EDGES: readonly EdgeName[] = [
  ...(NGINX ? (['nginx'] as const) : []),
  ...(HAPROXY ? (['haproxy'] as const) : []),
];

export interface Running {
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** What both configurations are filled in with. */
function variables(state: string): Record<string, string> {
  const hostOf = (url: string) => new URL(url).host;
  const service = (name: 'provisioning' | 'token' | 'telemetry' | 'command') => hostOf(at(name, 'vehicle'));
  const own = readFileSync(edge.certificate, 'utf8');
  const key = readFileSync(edge.key, 'utf8');
  return {
    OUTRIDER_EDGE_STATE: state,
    OUTRIDER_EDGE_CERTIFICATE: file('edge.crt', own),
    OUTRIDER_EDGE_KEY: file('edge.key', key),
    /** haproxy wants both in one file. */
    OUTRIDER_EDGE_PEM: file('edge.pem', own + key),
    OUTRIDER_EDGE_VEHICLE_CAS: edge.vehicleCas,
    OUTRIDER_EDGE_SERVER_TRUST: endpoints.trust.server,
    OUTRIDER_EDGE_LUA: join(DEPLOY, 'haproxy', 'authorize.lua'),
    OUTRIDER_EDGE_CONNECTIONS_PER_ADDRESS: String(CONNECTIONS_PER_ADDRESS),
    OUTRIDER_GATEWAY: hostOf(edge.authorization),
    OUTRIDER_PROVISIONING: service('provisioning'),
    OUTRIDER_TOKEN: service('token'),
    OUTRIDER_TELEMETRY: service('telemetry'),
    OUTRIDER_COMMAND: service('command'),
    OUTRIDER_API_UPSTREAM: `127.0.0.1:${edge.ports.api}`,
    OUTRIDER_API_HOST: edge.hosts.api,
    OUTRIDER_VEHICLES_HOST: edge.hosts.vehicles,
  };
}

/** As `envsubst` does with a list of names: nginx's own variables stay. */
function filledIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\$\{(OUTRIDER_[A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the template asks for ${name}`);
    return value;
  });
}

export async function startNginx(): Promise<Running> {
  const state = inFolder('nginx');
  mkdirSync(state, { recursive: true });
  const values = { ...variables(state), OUTRIDER_EDGE_LISTEN: `127.0.0.1:${edge.ports.nginx}` };
  const template = readFileSync(join(DEPLOY, 'nginx', 'nginx.conf.template'), 'utf8');
  const conf = join(state, 'nginx.conf');
  writeFileSync(conf, filledIn(template, values));
  const directives = `daemon off;${process.getuid?.() === 0 ? ' user root;' : ''}`;
  const args = ['-c', conf, '-e', join(state, 'error.log'), '-g', directives];
  return started(NGINX as string, args, edge.ports.nginx, {});
}

/** `keepMaps`: with what its maps held, as an operator's restart has it. */
export async function startHaproxy({ keepMaps = false } = {}): Promise<Running> {
  const state = inFolder('haproxy');
  mkdirSync(state, { recursive: true });
  const values = { ...variables(state), OUTRIDER_EDGE_LISTEN: `127.0.0.1:${edge.ports.haproxy}` };
  if (!keepMaps)
    for (const map of ['certificates', 'devices', 'networks']) writeFileSync(join(state, `${map}.map`), '');
  return started(HAPROXY as string, ['-db', '-f', join(DEPLOY, 'haproxy', 'haproxy.cfg')], edge.ports.haproxy, values);
}

/** The API of a platform team, behind both edges. */
export async function startDemoApi(): Promise<Running> {
  const program = join(DEPLOY, 'demo-api', 'demo-api.mjs');
  return started(process.execPath, [program, '--port', String(edge.ports.api)], edge.ports.api, {});
}

async function started(program: string, args: string[], port: number, env: Record<string, string>): Promise<Running> {
  let said = '';
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await until(`${program} on port ${port}`, () => {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${said}`);
    return answers(port);
  });
  return {
    process: child,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export interface ThroughEdge {
  readonly host: 'api' | 'vehicles';
  readonly method?: string;
  /** As it goes onto the wire: nothing is normalised. */
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Answered {
  /** 0: the connection was closed or could not be opened. */
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** A client of one edge, with one kept connection; without files it shows no certificate. */
export class EdgeClient {
  readonly #agent = new https.Agent({ keepAlive: true, maxSockets: 1 });

  constructor(
    readonly edge: EdgeName,
    readonly files?: { readonly certificate: string; readonly key: string },
  ) {}

  ask({ host, method = 'GET', path, token, headers = {}, body }: ThroughEdge): Promise<Answered> {
    const name = edge.hosts[host];
    const client = this.files ? { cert: readFileSync(this.files.certificate), key: readFileSync(this.files.key) } : {};
    const options: https.RequestOptions = {
      host: '127.0.0.1',
      port: edge.ports[this.edge],
      servername: name,
      ca: readFileSync(endpoints.trust.server),
      agent: this.#agent,
      method,
      path,
      timeout: 20_000,
      headers: {
        host: `${name}:${edge.ports[this.edge]}`,
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
      ...client,
    };
    return new Promise((resolve) => {
      const failed = (error: Error) => resolve({ status: 0, body: error.message, headers: {} });
      const call = https.request(options, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text, headers: answer.headers }));
        answer.on('error', failed);
      });
      call.on('error', failed);
      call.on('timeout', () => call.destroy(new Error('no answer in time')));
      call.end(body);
    });
  }

  /** A token by way of the edge. */
  async token(deviceId: string, scope: string): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: deviceId, scope }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await this.ask({ host: 'vehicles', method: 'POST', path: '/oauth2/token', headers, body });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.body}`);
    return (JSON.parse(answer.body) as { access_token: string }).access_token;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What the demo API was told. */
export interface ToldToApi {
  readonly method: string;
  readonly url: string;
  readonly bytes: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As they came, in their own spelling. */
  readonly names: readonly string[];
}

export function toldToApi({ body }: Answered): ToldToApi {
  return JSON.parse(body) as ToldToApi;
}

/** Keeps HAProxy's maps, as its own process beside it. */
export async function startEdgeMap(haproxyState = inFolder('haproxy')): Promise<Running> {
  const program = join(PROJECT, 'apps', 'gateway', 'dist', 'edge-map.command.js');
  const args = ['--gateway', edge.authorization, '--certificate', edge.certificate, '--key', edge.key];
  const where = [
    '--trust',
    endpoints.trust.server,
    '--socket',
    join(haproxyState, 'runtime.sock'),
    '--maps',
    haproxyState,
  ];
  const child = spawn(process.execPath, [program, ...args, ...where], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await until('the maps are the denylist', () => said.includes('the maps are the denylist'), { withinMs: 30_000 });
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { process: child, stop };
}

/** Every edge that this machine has, with the API behind them and HAProxy's maps kept. */
export async function startEdges(): Promise<readonly Running[]> {
  const running = [await startDemoApi()];
  if (NGINX) running.push(await startNginx());
  if (HAPROXY) running.push(await startHaproxy(), await startEdgeMap());
  return running;
}

export async function stopAll(running: readonly Running[] | undefined): Promise<void> {
  await Promise.all((running ?? []).map((one) => one.stop()));
}
