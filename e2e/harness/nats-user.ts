/** NATS as one of its users, to see what the server lets that one do. */
import { readFileSync } from 'node:fs';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { endpoints, type Service } from './endpoints.js';
import { configOf, secretIn } from './service-config.js';
import { until } from './until.js';

export type Permission = 'allowed' | 'refused by the server';

export class NatsUser {
  readonly #refusals: string[] = [];

  private constructor(readonly connection: NatsConnection) {
    void this.#listen();
  }

  static async service(service: Service): Promise<NatsUser> {
    const { url, user, passwordFile } = configOf(service).nats;
    return NatsUser.as(url, user, secretIn(passwordFile));
  }

  /** The one that makes streams. */
  static provisioner(): Promise<NatsUser> {
    const { url, user, passwordFile } = endpoints.nats;
    return NatsUser.as(url, user, readFileSync(passwordFile, 'utf8').trim());
  }

  static async as(url: string, user: string, pass: string): Promise<NatsUser> {
    const options = {
      servers: url.split(','),
      user,
      pass,
      inboxPrefix: `_INBOX.${user}`,
      reconnect: false,
      timeout: 5000,
    };
    return new NatsUser(await connect(options));
  }

  async publish(subject: string, payload: string | Uint8Array = '{}'): Promise<Permission> {
    this.connection.publish(subject, payload);
    return this.#answer('publish', subject);
  }

  async subscribe(subject: string): Promise<Permission> {
    const callback = (error: Error | null) => {
      if (error) this.#refusals.push(error.message.toLowerCase());
    };
    const subscription = this.connection.subscribe(subject, { callback });
    const answer = await this.#answer('subscri', subject);
    if (answer === 'allowed') subscription.unsubscribe();
    return answer;
  }

  /** A request to the JetStream API; undefined when there is no answer. */
  async api<T = Record<string, unknown>>(subject: string, body: object = {}): Promise<T | undefined> {
    try {
      const answer = await this.connection.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout: 2000 });
      return answer.json<T>();
    } catch {
      return undefined;
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** The server answers a refused one before the ping after it. */
  async #answer(what: 'publish' | 'subscri', subject: string): Promise<Permission> {
    await this.connection.flush();
    const refused = () =>
      this.#refusals.some((one) => one.includes(what) && one.includes(`"${subject.toLowerCase()}"`));
    return until('a refusal', refused, { withinMs: 50, everyMs: 5 }).then(
      () => 'refused by the server' as const,
      () => 'allowed' as const,
    );
  }

  async #listen(): Promise<void> {
    for await (const status of this.connection.status())
      if (status.type === 'error') this.#refusals.push(status.error.message.toLowerCase());
  }
}
