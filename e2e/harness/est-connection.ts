/** One EST connection by Node's TLS, which tells its channel binding: raw answers, as bytes on the wire say them. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { ClientFiles } from './curl.js';
import { file } from './folder.js';
import { must } from './run.js';
import { Wire } from './wire.js';

export interface EstAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class EstConnection {
  private constructor(
    private readonly wire: Wire,
    private readonly userAgent: string | undefined,
  ) {}

  static async open(
    client: ClientFiles | undefined,
    { userAgent, ...options }: ConnectionOptions & { userAgent?: string } = {},
  ): Promise<EstConnection> {
    const files = client ? { cert: readFileSync(client.certificate), key: readFileSync(client.key) } : {};
    return new EstConnection(await Wire.open('provisioning', { ...files, ...options }), userAgent);
  }

  get version(): string | null {
    return this.wire.socket.getProtocol();
  }

  /** Base64 of tls-unique on TLS 1.2 (a full handshake: ours is the first Finished), of the exporter of RFC 9266 on 1.3. */
  get binding(): string {
    const { socket } = this.wire;
    const value =
      socket.getProtocol() === 'TLSv1.3'
        ? socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
        : socket.getFinished();
    return (value as Buffer).toString('base64');
  }

  get(path: string): Promise<EstAnswer> {
    return this.ask(`GET /.well-known/est/${path} HTTP/1.1\r\n${this.head({})}\r\n`);
  }

  post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<EstAnswer> {
    const sent = { 'Content-Type': 'application/pkcs10', 'Content-Length': String(body.length), ...headers };
    return this.ask(`POST /.well-known/est/${path} HTTP/1.1\r\n${this.head(sent)}\r\n${body}`);
  }

  close(): void {
    this.wire.close();
  }

  private head(headers: Readonly<Record<string, string>>): string {
    const agent = this.userAgent ? { 'User-Agent': this.userAgent } : {};
    const all = { Host: '127.0.0.1', ...agent, Accept: '*/*', ...headers };
    return Object.entries(all)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }

  private async ask(text: string): Promise<EstAnswer> {
    const { status } = await this.wire.ask(text, 15_000);
    const { received } = this.wire;
    const end = received.indexOf('\r\n\r\n');
    const lines = received.slice(0, end).split('\r\n').slice(1);
    const pairs = lines.map((line) => /^([^:]+):\s*(.*)$/.exec(line) ?? ['', '', '']);
    return {
      status,
      headers: Object.fromEntries(pairs.map(([, name = '', value = '']) => [name.toLowerCase(), value])),
      body: received.slice(end + 4),
    };
  }
}

/** A request with this challenge password by openssl, in lines of 64. */
export async function boundRequest(key: string, name: string, challengePassword: string): Promise<string> {
  const config = `[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\n[dn]\nCN=${name}\n[at]\nchallengePassword=${challengePassword}\n`;
  const path = file(`${name}-bound.cnf`, config);
  const { bytes } = await must('openssl', ['req', '-new', '-key', key, '-config', path, '-outform', 'DER']);
  return bytes.toString('base64').replace(/(.{64})/g, '$1\n');
}
