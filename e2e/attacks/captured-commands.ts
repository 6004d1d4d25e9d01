/** Signed commands as someone gets hold of them who has a vehicle's key: from the command service itself. */
import { createHash, createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { elevatedToken } from '../harness/elevation.js';
import { thumbprintOf } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { Thief } from '../harness/thief.js';
import { signedJws } from '../harness/token-signing-key.js';

export interface Captured {
  readonly id: string;
  readonly jws: string;
}

export class Interceptor {
  readonly #client: Thief;
  readonly #key: KeyObject;

  constructor(
    readonly device: string,
    readonly certificate: string,
    key: string,
  ) {
    this.#client = new Thief(certificate, key);
    this.#key = createPrivateKey(readFileSync(key));
  }

  /**
   * Has an operator send it, takes it in the vehicle's place, and lets the service believe that it failed; or that it was refused, by what
   * the vehicle says it took last.
   */
  async capture(
    body: { name: string; parameters?: object; expires_in?: number },
    refused?: { readonly last: object },
  ): Promise<Captured> {
    const headers = { 'idempotency-key': randomUUID() };
    const token = await elevatedToken('command:send-critical');
    const sent = await operator('command', 'POST', `/v1/vehicles/${this.device}/commands`, { body, headers, token });
    if (sent.status !== 202) throw new Error(`not sent: ${sent.status} ${JSON.stringify(sent.body)}`);
    const own = await this.#client.token(this.device, 'command:receive command:critical');
    const ask = async (method: 'GET' | 'POST', path: string, content?: object) => {
      const more = content ? { body: JSON.stringify(content) } : {};
      const seen = await this.#client.ask({ service: 'command', method, path, token: own, ...more });
      if (seen.status !== 200) throw new Error(`${path}: ${seen.status} ${seen.body}`);
      return JSON.parse(seen.body) as { command?: { jws?: string }; jws?: string };
    };
    const offer = await ask('GET', '/v1/commands/next?wait=5');
    const { id } = sent.body as { id: string };
    const nonce = Buffer.alloc(32, 7).toString('base64url');
    const jws = offer.command?.jws ?? (await ask('POST', `/v1/commands/${id}/nonce`, { nonce })).jws ?? '';
    await ask('POST', `/v1/commands/${id}/outcome`, { outcome: await this.#failed(id, jws, refused) });
    return { id, jws };
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #failed(id: string, jws: string, data?: object): Promise<string> {
    const header = { typ: 'outrider-outcome+jws', kid: await thumbprintOf(this.certificate), alg: 'ES256' };
    const request_hash = createHash('sha256').update(jws).digest('base64url');
    const time = Math.floor(Date.now() / 1000);
    return signedJws(
      header,
      { command_id: id, device_id: this.device, request_hash, result: data ? 'refused' : 'failed', data, time },
      this.#key,
    );
  }
}
