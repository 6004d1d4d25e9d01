import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { ConnectionGate, type Refused } from './connection-gate.js';

/** A handshake that waits for its client costs nothing: so long it holds its place, and no longer. */
const PLACE_MS = 1_000;
/** Whoever has waited for a turn as long as a handshake may take has given up. */
const TURN_MS = 10_000;

/** `listener`: its name in metrics and in the decision log. */
export interface RefusedConnection {
  readonly listener: string;
  readonly remoteAddress: string;
  readonly reason: Refused;
}

/** Holds a server's connections to the configured limits, and lets the handshakes of each address begin in turn. */
@Injectable()
export class ConnectionLimiter {
  readonly events = new EventEmitter<{ refused: [refused: RefusedConnection] }>();
  private readonly refused;
  private readonly waiting;

  constructor(
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.refused = metrics.counter(
      'outrider_connections_refused_total',
      'Connections beyond the limits: of one address, or of all.',
      ['listener', 'limit'],
    );
    this.waiting = metrics.gauge('outrider_handshakes_waiting', 'Connections whose handshake waits for its turn.', [
      'listener',
    ]);
  }

  /** Called once its listeners for connections are there, before it listens. A plain server has no handshake to wait for. */
  guard(listener: string, server: Server, { isTls }: { readonly isTls: boolean }): void {
    const begin = server.listeners('connection');
    server.removeAllListeners('connection');
    const guarded = new GuardedServer(
      new ConnectionGate<Socket>(this.runtime.config.connectionLimits),
      (socket) => {
        for (const one of begin) one.call(server, socket);
      },
      isTls,
      (waiting) => this.waiting.set({ listener }, waiting),
    );
    server.on('connection', (socket: Socket) => {
      const remoteAddress = socket.remoteAddress ?? 'unknown';
      const reason = guarded.take(socket, remoteAddress);
      if (!reason) return;
      socket.destroy();
      this.refused.inc({ listener, limit: reason });
      this.events.emit('refused', { listener, remoteAddress, reason });
    });
    if (!isTls) return;
    server.on('secureConnection', (socket: Socket) => guarded.settled(socket));
    server.on('tlsClientError', (_error: Error, socket: Socket) => guarded.settled(socket));
  }
}

class GuardedServer {
  private readonly byPeer = new Map<string, Socket>();

  constructor(
    private readonly gate: ConnectionGate<Socket>,
    private readonly begin: (socket: Socket) => void,
    private readonly isTls: boolean,
    private readonly observe: (waiting: number) => void,
  ) {}

  take(socket: Socket, remoteAddress: string): Refused | undefined {
    const refused = this.gate.arrive(socket, remoteAddress);
    if (refused) return refused;
    const name = nameOf(socket);
    this.byPeer.set(name, socket);
    // Before its handshake begins nobody else listens.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.byPeer.get(name) === socket) this.byPeer.delete(name);
      this.gate.leave(socket);
      this.go();
    });
    this.go();
    if (this.gate.isWaiting(socket)) {
      const tooLate = setTimeout(() => this.gate.isWaiting(socket) && socket.destroy(), TURN_MS);
      socket.once('close', () => clearTimeout(tooLate));
    }
    return undefined;
  }

  /** Of the TLS socket that was made of a connection. */
  settled(socket: Socket): void {
    const connection = this.byPeer.get(nameOf(socket));
    if (!connection) return;
    this.gate.settle(connection);
    this.go();
  }

  private go(): void {
    for (let socket = this.gate.next(); socket; socket = this.gate.next()) this.start(socket);
    this.observe(this.gate.waiting);
  }

  private start(socket: Socket): void {
    this.begin(socket);
    if (!this.isTls) {
      this.gate.settle(socket);
      return;
    }
    const place = setTimeout(() => {
      this.gate.settle(socket);
      this.go();
    }, PLACE_MS);
    socket.once('close', () => clearTimeout(place));
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
