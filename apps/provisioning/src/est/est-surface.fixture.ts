/** Requests to the EST paths of a suite, whatever the path, the method and the body. */
import { type Answer, type Suite, send } from './suite.fixture.js';

type Client = Parameters<typeof send>[2] extends { client?: infer C } | undefined ? C : never;

export class EstSurface {
  constructor(private readonly suite: Suite) {}

  at(
    path: string,
    method = 'GET',
    options: { headers?: Record<string, string>; body?: string; client?: Client } = {},
  ): Promise<Answer> {
    return send(this.suite, `${this.suite.vehicleUrl}/.well-known/est${path}`, { method, ...options });
  }

  post(path: string, body: string, client: Client, headers: Record<string, string> = {}): Promise<Answer> {
    return this.at(path, 'POST', { body, client, headers: { 'content-type': 'application/pkcs10', ...headers } });
  }
}
