/** What the specs of the lifecycle do to a running suite: as operators, each of whom is another, and by events. */
import { type Registry, registryOf } from '../est/registry.fixture.js';
import { type Suite, send, startSuite } from '../est/suite.fixture.js';

interface Parsed {
  readonly status: number;
  readonly etag: string | undefined;
  readonly json: Record<string, unknown> & { items: Record<string, unknown>[] };
}

export class LifecycleGround {
  private constructor(
    readonly suite: Suite,
    readonly registry: Registry,
  ) {}

  static async start(): Promise<LifecycleGround> {
    const suite = await startSuite();
    return new LifecycleGround(suite, registryOf(suite));
  }

  stop(): Promise<void> {
    return this.suite.stop();
  }

  /** Each token is another operator's, unless told which. */
  async call(method: string, path: string, body?: object, parts: { token?: string; ifMatch?: string } = {}) {
    const { suite } = this;
    const { token = suite.operatorToken('device:read device:write'), ifMatch } = parts;
    const answer = await send(suite, `${suite.operatorUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: answer.status, etag: answer.headers.etag, json: JSON.parse(answer.body) } as Parsed;
  }

  report(name: string, event: string, ifMatch?: string) {
    const body = { event, reason: `a ${event}`, ticket: 'T-1' };
    return this.call('POST', `/v1/devices/${name}/events`, body, ifMatch ? { ifMatch } : {});
  }

  order(name: string, body: object, token?: string) {
    return this.call('POST', `/v1/devices/${name}/orders`, { reason: 'because', ...body }, token ? { token } : {});
  }

  approve(id: unknown, token?: string) {
    return this.call('POST', `/v1/orders/${id}/approve`, undefined, token ? { token } : {});
  }

  async stateOf(name: string): Promise<string> {
    return (await this.registry.show(name)).state;
  }

  async history(name: string) {
    return (await this.call('GET', `/v1/devices/${name}/history`)).json.items;
  }

  async lastEvent(subject: string): Promise<Record<string, unknown> | undefined> {
    const connection = await this.suite.nats.connectAs('provisioner');
    const answer = await connection.request('$JS.API.STREAM.MSG.GET.EVENTS', JSON.stringify({ last_by_subj: subject }));
    await connection.close();
    const { message } = answer.json<{ message?: { data: string } }>();
    return message && JSON.parse(Buffer.from(message.data, 'base64').toString());
  }

  denied(name: string) {
    return this.lastEvent(`provisioning.device.denied.v1.${name}`);
  }

  revoked(name: string, at: Date): Promise<void> {
    const event = { deviceId: name, reason: 'keyCompromise', revokedAt: at.toISOString(), revokedBy: 'op:revoker' };
    return this.registry.publish('revocation', `revocation.device.revoked.v1.${name}`, event);
  }
}
