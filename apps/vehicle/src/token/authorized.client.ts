/** Requests with an access token: as a bearer token bound to the connection's certificate, or with a DPoP proof beside it. */
import { randomUUID } from 'node:crypto';
import type { VehicleAnswer, VehicleClient, VehicleRequest } from '../http/vehicle.client.js';
import type { KeyStore } from '../keys/key-store.js';
import { asksForNonce, learn, proofInput, type ServerTime, UNKNOWN } from './dpop.js';

/** The certificate's own key: no second one to keep, and taking the key out of service ends its tokens. */
export interface ProofKey {
  readonly keys: KeyStore;
  readonly name: string;
}

export class AuthorizedClient {
  private readonly servers = new Map<string, ServerTime>();

  /** Without `proofKey` there are no proofs: the certificate of the connection is proof enough where nothing stands between. */
  constructor(
    private readonly client: VehicleClient,
    private readonly proofKey: ProofKey | undefined,
  ) {}

  /** As `VehicleClient.send`; without `accessToken` for the token endpoint. A nonce that the server wants is used at once. */
  async send(url: string, options: VehicleRequest, accessToken?: string): Promise<VehicleAnswer> {
    if (!this.proofKey) {
      const bearer = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
      return this.client.send(url, { ...options, headers: { ...options.headers, ...bearer } });
    }
    const answer = await this.prove(this.proofKey, url, options, accessToken);
    return asksForNonce(answer) ? this.prove(this.proofKey, url, options, accessToken) : answer;
  }

  private async prove(
    { keys, name }: ProofKey,
    url: string,
    options: VehicleRequest,
    accessToken: string | undefined,
  ): Promise<VehicleAnswer> {
    const { origin } = new URL(url);
    const server = this.servers.get(origin) ?? UNKNOWN;
    const parts = { method: options.method, url, accessToken, server, jti: randomUUID(), nowMs: Date.now() };
    const input = proofInput(await keys.publicKey(name), parts);
    const signature = await keys.sign(name, Buffer.from(input));
    const headers: Record<string, string> = { ...options.headers, dpop: `${input}.${signature.toString('base64url')}` };
    if (accessToken !== undefined) headers.authorization = `DPoP ${accessToken}`;
    const answer = await this.client.send(url, { ...options, headers });
    this.servers.set(origin, learn(server, answer, Date.now()));
    return answer;
  }
}
