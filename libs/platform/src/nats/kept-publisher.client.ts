import { createInbox, type MsgHdrs, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { inSpan, traceparent } from '../service/trace.provider.js';
import { contractOf, messaging } from './messaging.js';

const ACK_TIMEOUT_MS = 5000;
/** `{"stream":...}` is an acknowledgement, `{"error":...}` a refusal, nothing at all means that no stream listens. */
const THIRD_BYTE_OF_ACK = 's'.charCodeAt(0);

export interface KeptMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
}

interface Pending {
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timeout: NodeJS.Timeout;
}

/**
 * Publishes many messages to JetStream at once: one subscription takes the acknowledgements of all, each group counts its own. A request
 * of its own for each message, as the client library makes, costs several times as much.
 */
export class KeptPublisher {
  private readonly inbox: string;
  private readonly acknowledgements: Subscription;
  private readonly pending = new Map<string, Pending>();
  private next = 0;
  private silent = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly user: string,
    private readonly instance: string,
  ) {
    this.inbox = createInbox(`_INBOX.${this.user}`);
    this.acknowledgements = connection.subscribe(`${this.inbox}.*`, {
      callback: (error, msg) => {
        if (error) return;
        this.acknowledge(msg.subject.slice(this.inbox.length + 1), msg.data);
      },
    });
  }

  /** False from a late acknowledgement until the next one: the server takes what is sent and says nothing, and all of it waits in memory. */
  get answered(): boolean {
    return !this.silent;
  }

  close(): void {
    this.acknowledgements.unsubscribe();
  }

  /**
   * Resolves when the stream has acknowledged them all. Message `n` is named `<id>.<n>` (`Nats-Msg-Id`): sent again under the same id, it is
   * dropped as a duplicate; without an id it is stored again. Rejects when one is refused or an acknowledgement is late; others may be kept all the same.
   */
  publishAll(id: string | undefined, messages: readonly KeptMessage[]): Promise<void> {
    const [first] = messages;
    if (!first) return Promise.resolve();
    const contract = contractOf(first.subject);
    return inSpan(`publish ${contract}`, 'producer', messaging(contract), () => this.send(id, messages));
  }

  private send(id: string | undefined, messages: readonly KeptMessage[]): Promise<void> {
    const key = String(this.next++);
    const reply = `${this.inbox}.${key}`;
    const trace = traceparent();
    const common = `outrider-instance: ${this.instance}\r\n${trace ? `traceparent: ${trace}\r\n` : ''}\r\n`;
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        this.silent = true;
        this.fail(key, 'JetStream did not acknowledge in time');
      }, ACK_TIMEOUT_MS);
      this.pending.set(key, { left: messages.length, resolve, reject, timeout });
      try {
        for (const [n, { subject, payload }] of messages.entries()) {
          const named = id === undefined ? '' : `Nats-Msg-Id: ${id}.${n}\r\n`;
          const headers = encoded(`NATS/1.0\r\n${named}${common}`);
          this.connection.publish(subject, payload, { reply, headers });
        }
      } catch (error) {
        this.fail(key, 'a message could not be published', error);
      }
    });
  }

  private acknowledge(key: string, data: Uint8Array): void {
    this.silent = false;
    const pending = this.pending.get(key);
    if (!pending) return;
    if (data[2] !== THIRD_BYTE_OF_ACK) {
      this.fail(key, `JetStream refused a message: ${Buffer.from(data).toString('utf8').slice(0, 200) || 'no stream'}`);
      return;
    }
    pending.left -= 1;
    if (pending.left > 0) return;
    this.settle(key, pending);
    pending.resolve();
  }

  private fail(key: string, message: string, cause?: unknown): void {
    const pending = this.pending.get(key);
    if (!pending) return;
    this.settle(key, pending);
    pending.reject(new Error(message, { cause }));
  }

  private settle(key: string, { timeout }: Pending): void {
    clearTimeout(timeout);
    this.pending.delete(key);
  }
}

/** The client library asks headers for nothing but their bytes when it publishes. */
function encoded(text: string): MsgHdrs {
  const bytes = Buffer.from(text, 'latin1');
  return { encode: () => bytes } as unknown as MsgHdrs;
}
