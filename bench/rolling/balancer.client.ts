/** What a Kubernetes Service does, on one machine: passes connections on to the instances that are ready, one after the other, and looks into none. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';

const LOOK_EVERY_MS = 500;

/** An instance as its readiness probe sees it. */
export class Target {
  ready = false;
  private stopped = false;

  constructor(readonly httpPort: number) {
    void this.watch();
  }

  stop(): void {
    this.stopped = true;
  }

  async look(): Promise<boolean> {
    try {
      const { statusCode, body } = await request(`http://127.0.0.1:${this.httpPort}/readyz`, { headersTimeout: 2_000 });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      this.ready = await this.look();
      await sleep(LOOK_EVERY_MS);
    }
  }
}

export interface Route {
  readonly target: Target;
  readonly port: number;
}

/** One port before a listener of every instance. A connection stays where it was made, ready or not. */
export class Balancer {
  /** Connections that came while nobody was ready, and those that the chosen instance did not take. */
  refused = 0;
  private next = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(
    port: number,
    private readonly routes: readonly Route[],
  ) {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.pass(client));
    this.server.listen(port, '127.0.0.1');
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private pass(client: Socket): void {
    const ready = this.routes.filter(({ target }) => target.ready);
    const route = ready[this.next++ % Math.max(1, ready.length)];
    this.keep(client);
    if (!route) {
      this.refused += 1;
      client.resetAndDestroy();
      return;
    }
    const server = dial({ port: route.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.keep(server);
    let isUp = false;
    server.once('connect', () => {
      isUp = true;
    });
    server.once('error', () => {
      if (!isUp) this.refused += 1;
      client.resetAndDestroy();
    });
    client.once('error', () => server.resetAndDestroy());
    client.pipe(server).pipe(client);
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
