/** A key of a vehicle that binds tokens to it, and proofs by it, good ones and others (RFC 9449). */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { at } from './endpoints.js';
import type { Ask, Seen, Thief } from './thief.js';
import { type Members, signedJws } from './token-signing-key.js';

export class Prover {
  readonly jwk: Members;
  readonly privateKey: KeyObject;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.jwk = { ...publicKey.export({ format: 'jwk' }) };
  }

  /** `claims` and `header` replace what a good proof would say. */
  proof({ service, method, path, token }: Ask, claims: Members = {}, header: Members = {}): string {
    const url = new URL(claims.htu === undefined ? `${at(service, 'vehicle')}${path}` : String(claims.htu));
    const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') };
    const good = { jti: randomUUID(), htm: method, htu: `${url.origin}${url.pathname}`, iat: now(), ...ath };
    return signedJws(
      { typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk, ...header },
      { ...good, ...claims },
      this.privateKey,
    );
  }

  /** With a proof; asked again with the nonce of the answer where that is wanted. */
  async ask(client: Thief, ask: Ask, claims: Members = {}): Promise<Seen> {
    const first = await client.ask(proven(ask, this.proof(ask, claims)));
    if (!first.nonce || !/dpop_nonce"/.test(first.body)) return first;
    return client.ask(proven(ask, this.proof(ask, { nonce: first.nonce, ...claims })));
  }

  /** The nonce that `service` hands out now. */
  async nonce(client: Thief, ask: Ask): Promise<string> {
    const { nonce } = await client.ask(proven(ask, this.proof(ask)));
    if (!nonce) throw new Error(`${ask.service} hands out no nonce`);
    return nonce;
  }

  /** An access token bound to this key beside the certificate. */
  async token(client: Thief, id: string, scope: string): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: id, scope }).toString();
    const contentType = 'application/x-www-form-urlencoded';
    const seen = await this.ask(client, { service: 'token', method: 'POST', path: '/oauth2/token', body, contentType });
    const answer = JSON.parse(seen.body) as { access_token?: string; token_type?: string };
    if (!answer.access_token || answer.token_type !== 'DPoP')
      throw new Error(`no DPoP token: ${seen.status} ${seen.body}`);
    return answer.access_token;
  }
}

/** The same request by the DPoP scheme. */
export function proven({ token, ...ask }: Ask, proof: string): Ask {
  const scheme: Record<string, string> = token === undefined ? {} : { authorization: `DPoP ${token}` };
  return { ...ask, headers: { ...ask.headers, ...scheme, dpop: proof } };
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
