import type { KeyObject } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { EnrolledVehicle } from '../suite/suite.client.js';
import { makeBody, type Shape } from './bodies.js';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** One vehicle on one kept TLS connection. Requests are made ahead and answers only counted, so that the generator costs little. */
export class Sender {
  /** The next number of each device: a vehicle that is driven twice goes on where it was. */
  private static readonly next = new Map<string, number>();
  private received: Buffer = Buffer.alloc(0);
  private answered: ((answer: Buffer) => void) | undefined;
  private failed: ((error: Error) => void) | undefined;

  private constructor(
    private readonly socket: TLSSocket,
    private readonly head: string,
    private readonly deviceId: string,
    private readonly key: KeyObject,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', (error) => this.failed?.(error));
    socket.on('close', () => this.failed?.(new Error('the connection was closed')));
  }

  static open(url: string, vehicle: EnrolledVehicle, token: string): Promise<Sender> {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), ...vehicle.tls });
    const head = `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.off('error', reject);
        resolve(new Sender(socket, head, vehicle.deviceId, vehicle.key));
      });
    });
  }

  /** A whole request with `count` new records. */
  request(shape: Shape, count: number): Buffer {
    const seq = Sender.next.get(this.deviceId) ?? 1;
    const body = makeBody(shape, this.deviceId, this.key, seq, count);
    Sender.next.set(this.deviceId, seq + count);
    return Buffer.from(`${this.head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  /** Sends one request and waits for its answer, which must have accepted all `count` records. */
  async send(request: Buffer, count: number): Promise<void> {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      this.answered = resolve;
      this.failed = reject;
      this.socket.write(request);
    });
    const text = answer.toString('latin1');
    if (!text.startsWith('HTTP/1.1 200 ') || !text.endsWith(`"accepted":${count}}`)) {
      throw new Error(`telemetry answered: ${text.slice(0, 800)}`);
    }
  }

  close(): void {
    this.failed = undefined;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const end = this.received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const length = Number(
      /\r\ncontent-length: (\d+)/i.exec(this.received.toString('latin1', 0, end))?.[1] ?? Number.NaN,
    );
    if (Number.isNaN(length)) this.failed?.(new Error('an answer without a length'));
    const total = end + END_OF_HEAD.length + length;
    if (this.received.length < total) return;
    const answer = this.received.subarray(0, total);
    this.received = this.received.subarray(total);
    this.answered?.(answer);
  }
}
