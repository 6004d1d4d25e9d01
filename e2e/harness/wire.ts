/** A TLS connection by hand: for what well-behaved clients do not do, and for watching it being closed. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { at, endpoints, type Service } from './endpoints.js';
import type { Seen } from './thief.js';

export class Wire {
  /** Of `performance.now()`; undefined while it is open. */
  closedAt: number | undefined;
  readonly closed: Promise<void>;
  #received = '';

  constructor(readonly socket: TLSSocket) {
    this.closed = new Promise((done) => {
      socket.once('close', () => {
        this.closedAt = performance.now();
        done();
      });
    });
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
    });
  }

  /** After the handshake; rejects where that fails. */
  static async open(
    service: Service,
    options: ConnectionOptions = {},
    face: 'vehicle' | 'operator' = 'vehicle',
  ): Promise<Wire> {
    const { hostname, port } = new URL(at(service, face));
    const ca = readFileSync(endpoints.trust.server);
    const socket = connect({ host: hostname, port: Number(port), ca, ...options });
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) });
    return new Wire(socket);
  }

  get received(): string {
    return this.#received;
  }

  /** Writes `text` and waits for the whole answer, the end of the connection, or `withinMs`. */
  async ask(text: string, withinMs = 5000): Promise<Seen> {
    this.#received = '';
    this.socket.write(text);
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline && this.closedAt === undefined && !whole(this.#received))
      await new Promise((resolve) => setTimeout(resolve, 2));
    const [head = '', body = ''] = this.#received.split('\r\n\r\n', 2);
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), body };
  }

  close(): void {
    this.socket.destroy();
  }
}

function whole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, end))?.[1];
  return length === undefined || received.length >= end + 4 + Number(length);
}

/** A request's head, as text. */
export function head(method: string, path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
