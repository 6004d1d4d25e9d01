/** An EST client that shows its TLS connection: for channel binding, and for bytes that well-behaved clients do not send. */
import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Party } from '@outrider/testing';
import type { Suite } from './suite.fixture.js';

export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class EstWire {
  private constructor(readonly socket: TLSSocket) {}

  static async open(
    suite: Suite,
    client?: Pick<Party, 'certificatePem' | 'privateKeyPem'>,
    options: ConnectionOptions = {},
  ): Promise<EstWire> {
    const { hostname, port } = new URL(suite.vehicleUrl);
    const identity = client ? { cert: client.certificatePem, key: client.privateKeyPem } : {};
    const ca = suite.fleet.root.certificatePem;
    const socket = connect({ host: hostname, port: Number(port), ca, ...identity, ...options });
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
    return new EstWire(socket);
  }

  /** As a client computes it (RFC 9266; RFC 5929 §3.1, where a resuming server is the first to finish), in base64. */
  get binding(): string {
    const { socket } = this;
    const value =
      socket.getProtocol() === 'TLSv1.3'
        ? socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
        : socket.isSessionReused()
          ? socket.getPeerFinished()
          : socket.getFinished();
    return (value ?? Buffer.alloc(0)).toString('base64');
  }

  post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<WireAnswer> {
    const all = { 'Content-Type': 'application/pkcs10', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.ask(`POST /.well-known/est/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}\r\n${body}`);
  }

  /** Sends the bytes and reads the last answer that follows, past any 100 Continue. */
  async ask(text: string): Promise<WireAnswer> {
    const { socket } = this;
    let received = '';
    const take = (chunk: Buffer) => {
      received += chunk.toString('latin1');
    };
    socket.on('data', take);
    socket.write(text);
    const deadline = Date.now() + 10_000;
    let answer = read(received);
    while (!answer && Date.now() < deadline && !socket.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      answer = read(received);
    }
    socket.off('data', take);
    if (!answer) throw new Error(`no answer but ${JSON.stringify(received)}`);
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }
}

function read(received: string): WireAnswer | undefined {
  const interim = /^HTTP\/1\.1 100 [^\r]*\r\n\r\n/.exec(received);
  const text = interim ? received.slice(interim[0].length) : received;
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const pairs = lines.map((line) => line.split(/:\s*/, 2) as [string, string]);
  const headers = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
  const body = text.slice(end + 4);
  if (body.length < Number(headers['content-length'] ?? 0)) return undefined;
  return { status: Number(first.split(' ')[1]), headers, body };
}
