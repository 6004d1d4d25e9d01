/** The vehicle's present identity, the connections made with it, and the access tokens bound to it. */
import type { Identity } from '../enrol/identity.js';
import { VehicleClient } from '../http/vehicle.client.js';
import type { KeyStore } from '../keys/key-store.js';
import type { Report } from '../report/report.service.js';
import { AuthorizedClient } from '../token/authorized.client.js';
import { TokenService } from '../token/token.service.js';
import type { RequestTracer } from '../trace/tracer.client.js';

export interface Connection {
  readonly identity: Identity;
  readonly client: VehicleClient;
  /** The same connections, for requests with an access token. */
  readonly authorized: AuthorizedClient;
  readonly tokens: TokenService;
}

export class ConnectionService {
  private present: Connection | undefined;
  private abandoned = false;
  private waiting: { resolve: (connection: Connection) => void; reject: (error: Error) => void }[] = [];

  constructor(
    private readonly keys: KeyStore,
    private readonly serverTrust: () => string,
    private readonly tokenOrigin: string,
    private readonly report: Report,
    private readonly dpop: boolean = false,
    private readonly tracer?: RequestTracer,
  ) {}

  get identity(): Identity | undefined {
    return this.present?.identity;
  }

  /** The connection of the newest certificate; waits for the first enrolment. */
  current(): Promise<Connection> {
    if (this.present) return Promise.resolve(this.present);
    if (this.abandoned) return Promise.reject(stoppedBefore());
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** From now on with this certificate. What is under way over the old one is finished there, which its overlap allows. */
  async use(identity: Identity): Promise<void> {
    const privateKey = await this.keys.privateKeyForTls(identity.keyName);
    const shown = { certificates: identity.certificate, privateKey };
    const client = new VehicleClient(this.serverTrust(), shown, 'anchors', this.tracer);
    const proofKey = this.dpop ? { keys: this.keys, name: identity.keyName } : undefined;
    const authorized = new AuthorizedClient(client, proofKey);
    const tokens = new TokenService(authorized, this.tokenOrigin, identity, this.report);
    const before = this.present;
    this.present = { identity, client, authorized, tokens };
    for (const { resolve } of this.waiting.splice(0)) resolve(this.present);
    before?.client.retire();
  }

  /** The same certificate over new connections, for servers to be believed by what is trusted now. */
  async reconnect(): Promise<void> {
    if (this.present) await this.use(this.present.identity);
  }

  /** Nobody who waits for the first enrolment gets it any more. */
  abandon(): void {
    this.abandoned = true;
    for (const { reject } of this.waiting.splice(0)) reject(stoppedBefore());
  }

  async close(): Promise<void> {
    await this.present?.client.close();
  }
}

function stoppedBefore(): Error {
  return new Error('the vehicle was stopped before it was enrolled');
}
