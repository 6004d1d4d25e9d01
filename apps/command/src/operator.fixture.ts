/** command's operator listener as its clients see it: requests with tokens of the suite's own token service, and streams of events. */
import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { ACR, OPERATOR_AUDIENCE } from '@outrider/admission';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { RUNTIME, type Runtime } from '@outrider/platform/service';
import { startTokenService } from '@outrider/testing';
import { type Suite, until } from './command.fixture.js';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is looked at by tests alone
  readonly body: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Ask {
  readonly scope?: string;
  /** Claims of the token besides. */
  readonly claims?: object;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SentEvent {
  readonly id: string | undefined;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: any;
}

/** One that nobody stands behind: `suite.people` has others. */
export const newOperator = () => `op:${randomUUID()}`;

export async function openOperators(suite: Suite) {
  const { config } = suite.app.get<Runtime>(RUNTIME);
  const token = await startTokenService(suite.nats, config.tokenIssuer);
  await suite.app.get(Listeners).open();
  await until(() => suite.app.get(JwksKeys).get(token.keyId) !== undefined, 20_000);
  const bearer = ({ scope = '', claims = {} }: Ask) =>
    token.accessToken({
      ...{ sub: newOperator(), client_id: 'test', roles: ['admin'], aud: OPERATOR_AUDIENCE, scope },
      ...{ acr: ACR.service, amr: ['pop'], auth_time: Math.floor(Date.now() / 1000) },
      ...claims,
    });
  const open = (
    method: string,
    path: string,
    ask: Ask,
    onAnswer: (answer: import('node:http').IncomingMessage) => void,
  ) =>
    https.request(
      `https://127.0.0.1:${config.listeners.operator!.port}${path}`,
      {
        method,
        ca: suite.fleet.root.certificatePem,
        agent: false,
        headers: {
          authorization: `Bearer ${bearer(ask)}`,
          ...(ask.body ? { 'content-type': 'application/json' } : {}),
          ...ask.headers,
        },
      },
      onAnswer,
    );
  const call = (method: string, path: string, ask: Ask): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const request = open(method, path, ask, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, body: text ? JSON.parse(text) : undefined, headers: answer.headers }),
        );
      });
      request.on('error', reject).end(ask.body ? JSON.stringify(ask.body) : undefined);
    });
  /** A stream of events as they come; `ended` once the service has ended it. */
  const watch = (path: string, ask: Ask) => {
    const events: SentEvent[] = [];
    const seen = { events, ended: false, close: () => void request.destroy() };
    const request = open('GET', path, ask, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const event = parse(text.slice(0, end));
          if (event) events.push(event);
          text = text.slice(end + 2);
        }
      });
      answer.on('end', () => Object.assign(seen, { ended: true }));
      answer.on('error', () => undefined);
    });
    request.on('error', () => undefined).end();
    return new Promise<typeof seen>((resolve, reject) => {
      request.once('response', () => resolve(seen));
      request.once('error', reject);
    });
  };
  return { call, watch, stop: () => token.stop() };
}
export type Operators = Awaited<ReturnType<typeof openOperators>>;

function parse(block: string): SentEvent | undefined {
  const lines = block.split('\n');
  const of = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const [event, data] = [of('event'), of('data')];
  return event === undefined || data === undefined ? undefined : { id: of('id'), event, data: JSON.parse(data) };
}
