/** Every port of a suite, and who sits on one that is taken. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { Failure } from './failure.ts';
import { SERVICES } from './services.ts';
import type { Settings } from './settings.ts';

export interface ServicePorts {
  readonly vehicle?: number;
  readonly operator?: number;
  readonly http: number;
}

export function portsOf({ portOffset }: Pick<Settings, 'portOffset'>) {
  return {
    postgres: 15_432 + portOffset,
    nats: 14_222 + portOffset,
    /** Of clusters: the first node sits where the only one does else. */
    postgresStandby: 15_433 + portOffset,
    natsNodes: [14_222, 14_223, 14_224].map((port) => port + portOffset),
    natsRoutes: [14_232, 14_233, 14_234].map((port) => port + portOffset),
    /** Edge proxies ask the gateway here, over mTLS. */
    externalAuthorization: 8446 + portOffset,
    /** Kept for edges before this suite, and an API behind them: `npm start` starts none (deploy/edge). */
    edges: { nginx: 8460 + portOffset, haproxy: 8461 + portOffset, api: 8462 + portOffset },
    services: Object.fromEntries(
      SERVICES.map(({ name, n, vehicle, operator }): [string, ServicePorts] => [
        name,
        {
          ...(vehicle ? { vehicle: 8440 + n + portOffset } : {}),
          ...(operator ? { operator: 9440 + n + portOffset } : {}),
          http: 9100 + n + portOffset,
        },
      ]),
    ) as Readonly<Record<string, ServicePorts>>,
  };
}

/** Throws a Failure that names each port already taken, its use here, and its holder where that can be seen. */
export async function requireFreePorts(settings: Settings): Promise<void> {
  const ports = portsOf(settings);
  const uses: [number, string][] = [];
  if (!settings.postgresUrl) uses.push([ports.postgres, 'PostgreSQL']);
  if (!settings.natsUrl) uses.push([ports.nats, 'NATS']);
  if (settings.cluster) {
    uses.push([ports.postgresStandby, 'PostgreSQL, standby']);
    for (const port of [...ports.natsNodes.slice(1), ...ports.natsRoutes]) uses.push([port, 'NATS, cluster']);
  }
  uses.push([ports.externalAuthorization, 'gateway, external authorization']);
  for (const [service, faces] of Object.entries(ports.services)) {
    for (const [face, port] of Object.entries(faces)) uses.push([port, `${service}, ${face}`]);
  }
  const taken: string[] = [];
  for (const [port, use] of uses) {
    if (!(await isFree(port))) taken.push(`  port ${port} (${use})${holder(port)}`);
  }
  if (taken.length === 0) return;
  throw new Failure(
    `Cannot start: something else listens on\n${taken.join('\n')}\n` +
      'Stop it, or move every port of this suite: OUTRIDER_PORT_OFFSET=1000 npm start',
  );
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** An offset from `from` on at which a whole suite fits. */
export async function freeOffset(from: number, cluster = false): Promise<number> {
  for (let offset = from; offset < from + 5000; offset += 100) {
    const settings = { portOffset: offset, postgresUrl: undefined, natsUrl: undefined, cluster } as Settings;
    if (
      await requireFreePorts(settings).then(
        () => true,
        () => false,
      )
    )
      return offset;
  }
  throw new Failure(`No run of free ports was found above offset ${from}.`);
}

function holder(port: number): string {
  try {
    const line = execFileSync('ss', ['-Hltnp', `sport = :${port}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const found = /"([^"]+)",pid=(\d+)/.exec(line);
    return found ? `: held by ${found[1]}, process ${found[2]}` : '';
  } catch {
    return ''; // no `ss` here: the port alone must do
  }
}
