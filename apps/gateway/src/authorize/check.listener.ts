import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import {
  type ConnectionInjector,
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { denylistCode } from '@outrider/admission';
import type { ErrorCode } from '@outrider/errors';
import type { Peer } from '@outrider/platform/http';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { bareRefusal } from './answer.js';
import { AuthorizationListener } from './authorization.listener.js';
import { Authorizer } from './authorizer.service.js';
import {
  type CheckRequest,
  type CheckResponse,
  checkAllowed,
  checkRefused,
  readCheckRequest,
} from './dialects/envoy-grpc.js';
import { EdgeConnections } from './edge-connections.service.js';

/** `apps/gateway/proto`, from `dist/authorize`. */
const PROTO = join(import.meta.dirname, '..', '..', 'proto', 'ext_authz.proto');
const MAX_MESSAGE_BYTES = 262_144;

/** Envoy's `ext_authz` over gRPC, on the port and the mutual TLS of the authorization listener. */
@Injectable()
export class CheckListener implements OnModuleInit, BeforeApplicationShutdown {
  private readonly server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': 1000,
  });
  private injector: ConnectionInjector | undefined;

  constructor(
    private readonly listener: AuthorizationListener,
    private readonly connections: EdgeConnections,
    private readonly authorizer: Authorizer,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    const loaded = loadPackageDefinition(loadSync(PROTO, { longs: Number, enums: String, oneofs: false }));
    const { service } = packageOf(loaded, 'envoy', 'service', 'auth', 'v3').Authorization as ServiceClientConstructor;
    this.server.addService(service, { Check: this.check });
    // TLS has ended already, in the listener: what is injected here is plain text.
    this.injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
    this.listener.add({ alpn: 'h2', take: (socket) => this.take(socket) });
  }

  beforeApplicationShutdown(): void {
    this.injector?.drain(0);
    this.server.forceShutdown();
  }

  private take(socket: TLSSocket): void {
    const peer = this.connections.peerOf(socket);
    // gRPC has no way to say why: the handshake was good, and there is nobody to talk to.
    if (!peer.isProxy) socket.destroy();
    else this.injector?.injectConnection(socket);
  }

  private readonly check = (
    call: ServerUnaryCall<CheckRequest, CheckResponse>,
    done: sendUnaryData<CheckResponse>,
  ): void => {
    this.answer(call).then(
      (response) => done(null, response),
      (error: unknown) => {
        this.logger.error({ err: error }, 'a question of an edge failed');
        done({ code: status.UNAVAILABLE, details: 'service.internal' });
      },
    );
  };

  private async answer(call: ServerUnaryCall<CheckRequest, CheckResponse>): Promise<CheckResponse> {
    const socket = this.connections.socketOf(call.getPeer());
    if (!socket) throw new Error('a question of nobody');
    const edge = this.connections.peerOf(socket);
    const entry = this.connections.denied(socket);
    if (entry) return this.refuse(denylistCode(entry.kind), `the edge: ${entry.reason}`, edge);
    const question = readCheckRequest(call.request);
    if (!question) return this.refuse('gateway.edge_request_invalid', 'a field is missing', edge);
    const verdict = await this.authorizer.decide(question, edge);
    return verdict.decision === 'allow' ? checkAllowed(verdict.identity, verdict.nonce) : checkRefused(verdict);
  }

  private refuse(code: ErrorCode, reason: string, edge: Peer): CheckResponse {
    this.listener.record(code, reason, 'gRPC', edge);
    return checkRefused(bareRefusal(code, reason));
  }
}

function packageOf(loaded: GrpcObject, ...names: readonly string[]): GrpcObject {
  return names.reduce((at, name) => at[name] as GrpcObject, loaded);
}
