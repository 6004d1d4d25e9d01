import { join } from 'node:path';
import {
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROJECT } from '../suite/own-suite.client.js';

type Check = (
  request: object,
  done: (error: Error | null, answer: { status: { code: number; message: string } }) => void,
) => void;

/** Envoy's place at gateway's gRPC, on one connection. */
export class CheckClient {
  private readonly client: Client & { Check: Check };

  constructor(origin: string, { ca, cert, key }: { readonly ca: string; readonly cert: string; readonly key: string }) {
    const loaded = loadPackageDefinition(loadSync(join(PROJECT, 'apps/gateway/proto/ext_authz.proto')));
    const at = ['envoy', 'service', 'auth', 'v3'].reduce((one, name) => one[name] as GrpcObject, loaded as GrpcObject);
    const Authorization = at.Authorization as ServiceClientConstructor;
    const tls = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
    const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': 'localhost' };
    this.client = new Authorization(new URL(origin).host, tls, options) as unknown as Client & { Check: Check };
  }

  /** Rejects unless the request is let by. */
  allowed(attributes: object): Promise<void> {
    return new Promise((resolve, reject) =>
      this.client.Check({ attributes }, (error, answer) => {
        if (error) reject(error);
        else if (answer.status.code === 0) resolve();
        else reject(new Error(answer.status.message));
      }),
    );
  }

  close(): void {
    this.client.close();
  }
}
