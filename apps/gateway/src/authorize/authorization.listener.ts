import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { denylistCode } from '@outrider/admission';
import type { ErrorCode } from '@outrider/errors';
import { Decisions } from '@outrider/platform/admission';
import { CONTEXT_OPTIONS, ConnectionLimiter, closeGently, type Peer, Staples } from '@outrider/platform/http';
import { CONFIG, Drain, LOGGER, type Logger, TrustFiles } from '@outrider/platform/service';
import { toPem } from '@outrider/x509';
import type { AuthorizationConfig, Config } from '../config.js';
import {
  allowed,
  allowedForEnvoy,
  bareRefusal,
  type EdgeAnswer,
  type Refusal,
  refused,
  refusedForNginx,
} from './answer.js';
import { Authorizer } from './authorizer.service.js';
import { readEnvoyQuestion } from './dialects/envoy-http.js';
import { readNginxQuestion } from './dialects/nginx.js';
import { readTraefikQuestion } from './dialects/traefik.js';
import { EdgeConnections } from './edge-connections.service.js';
import { EdgeFeed } from './edge-feed.service.js';
import type { ReadQuestion } from './edge-question.js';
import type { Identity } from './identity.js';

/** For an edge that denies by itself (edge-map.command.js). */
const FEED_PATH = '/v1/edge/denylist';
const ENVOY_PREFIX = '/authorize/envoy';
const MAX_HEADER_BYTES = 65_536;

interface Dialect {
  readonly read: ReadQuestion;
  readonly allow: (identity: Identity, nonce: string | undefined) => EdgeAnswer;
  readonly refuse: (refusal: Refusal) => EdgeAnswer;
}

const NGINX: Dialect = { read: readNginxQuestion, allow: allowed, refuse: refusedForNginx };
const TRAEFIK: Dialect = { read: readTraefikQuestion, allow: allowed, refuse: refused };
const ENVOY: Dialect = { read: readEnvoyQuestion(ENVOY_PREFIX), allow: allowedForEnvoy, refuse: refused };

/** Other protocols on the same port, by what TLS negotiated (RFC 7301). */
export interface ByProtocol {
  readonly alpn: string;
  take(socket: TLSSocket): void;
}

/**
 * Where edges ask, over mutual TLS. A server of its own and not one more face of the service's Fastify: the questions are not requests
 * of the service, each edge asks at any path and method, and every one of its client's requests waits for the answer.
 */
@Injectable()
export class AuthorizationListener implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly config: AuthorizationConfig | undefined;
  private readonly finishMs: number;
  private readonly others = new Map<string, ByProtocol>();
  private server: https.Server | undefined;

  constructor(
    private readonly drain: Drain,
    @Inject(CONFIG) { authorization, shutdown }: Config,
    private readonly authorizer: Authorizer,
    private readonly connections: EdgeConnections,
    private readonly feed: EdgeFeed,
    private readonly decisions: Decisions,
    private readonly trustFiles: TrustFiles,
    private readonly limiter: ConnectionLimiter,
    private readonly staples: Staples,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.config = authorization;
    this.finishMs = shutdown.finishMs;
  }

  /** Before the start. */
  add(protocol: ByProtocol): void {
    this.others.set(protocol.alpn, protocol);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.config) return;
    const { host, port } = this.config.listener;
    const server = https.createServer({
      ...CONTEXT_OPTIONS,
      ...this.secureContext(this.config),
      // Who speaks both (Traefik) asks over HTTP/1.1: over h2 alone one speaks gRPC.
      ALPNProtocols: ['http/1.1', ...this.others.keys()],
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // A second `Authorization` must not be dropped unseen: the API might read that one.
      joinDuplicateHeaders: true,
      connectionsCheckingInterval: 2_000,
    });
    server.headersTimeout = 10_000;
    server.requestTimeout = 30_000;
    server.keepAliveTimeout = 120_000;
    this.dispatch(server);
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const facts = {
        decision: 'deny',
        code: 'tls.handshake_failed',
        listener: 'vehicle',
        action: 'TLS handshake',
      } as const;
      this.decisions.record({ ...facts, remoteAddress: socket.remoteAddress, detail: error.code ?? error.message });
    });
    server.on('request', (request, response) => {
      if (this.drain.isLeaving) response.setHeader('connection', 'close');
      void this.answer(request, response);
    });
    this.trustFiles.events.on('changed', () => {
      if (this.config) server.setSecureContext({ ...CONTEXT_OPTIONS, ...this.secureContext(this.config) });
    });
    this.staples.serve(server, this.config.listener);
    this.limiter.guard('edge', server, { isTls: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve());
    });
    server.on('error', (error) => this.logger.error({ err: error }, 'external authorization'));
    this.server = server;
    this.logger.info({ listener: 'authorization', host, port }, 'listening');
  }

  async beforeApplicationShutdown(): Promise<void> {
    // Feeds have no end of their own.
    this.feed.end();
    if (this.server) await closeGently([this.server], this.finishMs);
  }

  private secureContext({ listener: { certificateFile, keyFile } }: AuthorizationConfig) {
    const { certificate: cert, key } = this.trustFiles.keyPair(certificateFile, keyFile);
    return { cert, key, ca: this.trustFiles.infrastructureCa.map(({ der }) => toPem(der, 'CERTIFICATE')) };
  }

  /** Reads who is at the other end before anything of it is parsed, then hands the connection to its protocol. */
  private dispatch(server: https.Server): void {
    const http1 = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket) => {
      try {
        if (!this.connections.accept(socket)) {
          socket.destroy();
          return;
        }
        const other = this.others.get(socket.alpnProtocol || '');
        if (other) other.take(socket);
        else for (const take of http1) take.call(server, socket);
      } catch (error) {
        socket.destroy();
        this.logger.error({ err: error }, 'a connection could not be taken');
      }
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const edge = this.connections.peerOf(request.socket);
      const dialect = dialectOf(request.url ?? '');
      const refused = this.refusalOf(request, edge, dialect);
      if (refused) send(response, refused);
      else if (dialect) send(response, await this.answerOf(request, edge, dialect));
      else if (request.url === FEED_PATH && request.method === 'GET') this.feed.stream(response);
      else send(response, plainRefusal('request.not_found', 'no dialect of external authorization'));
    } catch (error) {
      this.logger.error({ err: error }, 'a question of an edge failed');
      send(response, plainRefusal('service.internal', ''));
    }
  }

  /** Whether the edge may ask at all. */
  private refusalOf(request: IncomingMessage, edge: Peer, dialect: Dialect | undefined): EdgeAnswer | undefined {
    if (!edge.isProxy) return this.refuse('gateway.edge_unknown', 'no configured edge', request, edge, dialect);
    const entry = this.connections.denied(request.socket);
    if (!entry) return undefined;
    return this.refuse(denylistCode(entry.kind), `the edge: ${entry.reason}`, request, edge, dialect);
  }

  private async answerOf(request: IncomingMessage, edge: Peer, dialect: Dialect): Promise<EdgeAnswer> {
    const question = dialect.read(request.url ?? '', request.method ?? '', request.headers);
    if (!question) return this.refuse('gateway.edge_request_invalid', 'a field is missing', request, edge, dialect);
    const verdict = await this.authorizer.decide(question, edge);
    return verdict.decision === 'allow' ? dialect.allow(verdict.identity, verdict.nonce) : dialect.refuse(verdict);
  }

  private refuse(code: ErrorCode, reason: string, request: IncomingMessage, edge: Peer, dialect?: Dialect): EdgeAnswer {
    this.record(code, reason, request.url?.split('/', 3).join('/') ?? '', edge);
    return dialect ? dialect.refuse(bareRefusal(code, reason)) : plainRefusal(code, reason);
  }

  /** A refusal of the edge itself. `what`: the dialect, as the decision log names it. */
  record(code: ErrorCode, detail: string, what: string, { remoteAddress, certificate }: Peer): void {
    const action = `external authorization ${what}`;
    const facts = { decision: 'deny', code, listener: 'vehicle', action, detail, remoteAddress } as const;
    this.decisions.record({ ...facts, thumbprint: certificate?.thumbprint });
  }
}

function dialectOf(url: string): Dialect | undefined {
  if (url === '/authorize/nginx') return NGINX;
  if (url === '/authorize/traefik') return TRAEFIK;
  return url.startsWith(`${ENVOY_PREFIX}/`) ? ENVOY : undefined;
}

function plainRefusal(code: ErrorCode, reason: string): EdgeAnswer {
  return refused(bareRefusal(code, reason));
}

function send(response: ServerResponse, { status, headers, body }: EdgeAnswer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
