/** What the command service's listener would be in the hands of someone who has its TLS key, and not the key that signs commands. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { endpoints } from './endpoints.js';
import { file } from './folder.js';
import { configOf } from './service-config.js';

const ANSWER_EMPTY_MS = 300;

export class FalseCommandService {
  readonly #offers: { id: string; jws: string }[] = [];
  /** Command ids whose outcome came, as often as it came. */
  readonly outcomes: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async open(): Promise<FalseCommandService> {
    const { certificateFile, keyFile } = configOf('command').identity;
    const server = createServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return new FalseCommandService(server);
  }

  /** An `endpoints.json` in which this stands for the command service. */
  endpointsFile(): string {
    const vehicle = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const services = { ...endpoints.services, command: { ...endpoints.services.command, vehicle } };
    return file('false-endpoints.json', JSON.stringify({ ...endpoints, services }));
  }

  /** Offered once, at the vehicle's next poll. */
  offer(id: string, jws: string): void {
    this.#offers.push({ id, jws });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for await (const _ of request);
    const json = (body: object) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const outcome = /^\/v1\/commands\/([^/]+)\/outcome$/.exec(request.url ?? '')?.[1];
    if (outcome) {
      this.outcomes.push(outcome);
      json({ id: outcome, state: 'succeeded' });
      return;
    }
    // No streams: the vehicle polls then, and each offer has its answer before the next.
    if (request.url?.startsWith('/v1/commands/stream')) {
      response.writeHead(404).end();
      return;
    }
    const offer = this.#offers.shift();
    if (offer) json({ command: { ...offer, critical: false } });
    else setTimeout(() => response.writeHead(204).end(), ANSWER_EMPTY_MS);
  }
}
