/** The command service as a vehicle asks it: by a token of the control family, which is replaced once when it is stale. */
import type { Connection, ConnectionService } from '../agent/connection.service.js';
import { Denied, Later } from '../agent/link.service.js';
import type { VehicleAnswer, VehicleRequest } from '../http/vehicle.client.js';

export class CommandPlatform {
  /** The query that asks for commands in the form this vehicle wants. */
  readonly form: string;

  constructor(
    private readonly connections: ConnectionService,
    private readonly origin: string,
    private readonly signal: AbortSignal,
    cose = false,
  ) {
    this.form = cose ? '?form=cose' : '';
  }

  /** Throws Denied or Later for what concerns the vehicle and not this one request. */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    more: Partial<VehicleRequest> = {},
  ): Promise<VehicleAnswer> {
    const connection = await this.connections.current();
    return this.askOver(connection, method, path, body, more);
  }

  /** The same over this connection alone: a stream and what belongs to it. */
  async askOver(
    connection: Connection,
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    more: Partial<VehicleRequest> = {},
  ): Promise<VehicleAnswer> {
    let answer = await this.send(connection, method, path, body, more);
    if (answer.status === 401) {
      connection.tokens.forget('control');
      answer = await this.send(connection, method, path, body, more);
    }
    const { status } = answer;
    if (status === 401 || status === 403) throw new Denied(problemCode(answer), answer.retryAfterSeconds);
    if (status === 429 || status >= 500) throw new Later(problemCode(answer), answer.retryAfterSeconds);
    return answer;
  }

  private async send(
    connection: Connection,
    method: 'GET' | 'POST',
    path: string,
    body: object | undefined,
    more: Partial<VehicleRequest>,
  ): Promise<VehicleAnswer> {
    const token = await connection.tokens.get('control');
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = {
      method,
      headers: { accept: 'application/json', ...type },
      signal: this.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...more,
    };
    return connection.authorized.send(`${this.origin}${path}`, request, token);
  }
}

export function json(answer: Pick<VehicleAnswer, 'body'>): unknown {
  try {
    return JSON.parse(answer.body) ?? {};
  } catch {
    return {};
  }
}

export function problemCode(answer: VehicleAnswer): string {
  const { code } = json(answer) as { code?: unknown };
  return typeof code === 'string' ? code.slice(0, 80) : `http.${answer.status}`;
}
