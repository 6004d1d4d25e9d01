/** Proxies that end TLS in front of the services, as docs/protocols/edge.md asks for them: nginx where it is on this machine, and one in Node. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { Party, TestFleet } from '@outrider/testing';
import { until } from '../token.fixture.js';

/** Where a proxy listens, and the services' vehicle listeners that it has behind it, by the beginning of a path; '/' is the rest. */
export interface EdgePlan {
  readonly directory: string;
  readonly fleet: TestFleet;
  /** Of the infrastructure CA: its server certificate, and who it is to the services. */
  readonly party: Party;
  readonly port: number;
  readonly behind: Readonly<Record<string, readonly number[]>>;
}

export interface RunningEdge {
  stop(): Promise<void>;
}

/** Forwards by `Client-Cert` (RFC 9440), in turn to each service of several. */
export async function startNodeEdge({ fleet, party, port, behind }: EdgePlan): Promise<RunningEdge> {
  const identity = { cert: party.certificatePem + fleet.infrastructureCa.certificatePem, key: party.privateKeyPem };
  const agent = new https.Agent({ keepAlive: true, ca: fleet.root.certificatePem, ...identity });
  const anchors = { requestCert: true, rejectUnauthorized: false, ca: fleet.vehicleCa.certificatePem };
  let turn = 0;
  const server = https.createServer({ ...identity, ...anchors }, (request, response) => {
    const leaf = (request.socket as TLSSocket).getPeerX509Certificate();
    const { connection: _hop, 'client-cert': _theirs, ...headers } = request.headers;
    if (leaf) headers['client-cert'] = `:${leaf.raw.toString('base64')}:`;
    const prefix = Object.keys(behind).find((one) => one !== '/' && request.url?.startsWith(one)) ?? '/';
    const targets = behind[prefix] ?? [];
    const target = targets[turn++ % targets.length];
    const options = { host: '127.0.0.1', port: target, path: request.url, method: request.method, headers, agent };
    const upstream = https.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      agent.destroy();
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { stop };
}

/** Where Debian's package puts it. */
export const NGINX = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((file) => existsSync(file));

/** Forwards by `X-Forwarded-Client-Cert`: nginx has the client's certificate as URL-encoded PEM, and not in base64 as RFC 9440 has it. */
export async function startNginx(plan: EdgePlan): Promise<RunningEdge> {
  const directory = join(plan.directory, 'nginx');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'nginx.conf'), nginxConfiguration(plan, directory));
  const args = ['-c', join(directory, 'nginx.conf'), '-e', join(directory, 'error.log')];
  const nginx = spawn(NGINX as string, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => nginx.once('exit', () => resolve()));
  await until(() => nginx.exitCode === null && answers(plan.port));
  return {
    stop: () => {
      nginx.kill('SIGTERM');
      return ended;
    },
  };
}

function nginxConfiguration({ fleet, party, port, behind }: EdgePlan, directory: string): string {
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const certificate = file('edge.crt', party.certificatePem + fleet.infrastructureCa.certificatePem);
  const key = file('edge.key', party.privateKeyPem);
  const root = file('root.crt', fleet.root.certificatePem);
  const vehicles = file('vehicles.crt', fleet.vehicleCa.certificatePem + fleet.root.certificatePem);
  const upstreams = Object.values(behind).map(
    (ports, n) => `upstream behind${n} { ${ports.map((one) => `server 127.0.0.1:${one};`).join(' ')} keepalive 4; }`,
  );
  const locations = Object.keys(behind).map((prefix, n) => `location ${prefix} { proxy_pass https://behind${n}; }`);
  return `
    daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
      uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
      map $ssl_client_escaped_cert $forwarded_certificate { '' ''; default 'Cert="$ssl_client_escaped_cert"'; }
      ${upstreams.join('\n')}
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_verify_client optional_no_ca; ssl_verify_depth 3; ssl_client_certificate ${vehicles};
        proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;
        proxy_set_header Client-Cert ''; proxy_set_header Client-Cert-Chain '';
        proxy_set_header X-Forwarded-Client-Cert $forwarded_certificate;
        proxy_ssl_certificate ${certificate}; proxy_ssl_certificate_key ${key};
        proxy_ssl_trusted_certificate ${root}; proxy_ssl_verify on; proxy_ssl_verify_depth 4; proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.3;
        ${locations.join('\n')}
      }
    }`;
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
