import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { type SecureContextOptions, type TLSSocket, Server as TlsServer } from 'node:tls';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type ParsedCertificate, toPem } from '@outrider/x509';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { TlsListenerConfig, VehicleListenerConfig } from '../service/config.js';
import { Drain } from '../service/drain.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { TrustFiles } from '../service/trust-files.service.js';
import { closeGently } from './close-gently.provider.js';
import { ConnectionLimiter } from './connection-limits.service.js';
import type { ListenerName } from './on.provider.js';
import type { Peer } from './peer.js';
import { isAuthorized, isTrustedProxy, peerOfSocket, type TrustedProxies } from './peer.provider.js';
import { RequestMetrics } from './request-metrics.service.js';
import { Staples } from './staples.service.js';
import { continueLater, isStreaming } from './streamed-body.provider.js';
import { CONTEXT_OPTIONS, TIMEOUTS, TLS_OPTIONS, VEHICLE_TLS_OPTIONS } from './tls-options.js';
import { answerToUnparsed } from './unparsed.js';

/** Bytes of any request body: more is `request.too_large` before it is read. */
export const MAX_BODY_BYTES = 1_048_576;

/** Of Node: a name, and the keys that encrypt and authenticate. */
const TICKET_KEY_BYTES = 48;
export interface TlsFailure {
  readonly listener: ListenerName;
  readonly remoteAddress: string;
  /** OpenSSL's or Node's code, e.g. `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`. */
  readonly reason: string;
}

interface ListenerEvents {
  /** A connection was opened; a TLS one after its handshake. */
  connection: [socket: Socket, peer: Peer];
  tlsFailure: [failure: TlsFailure];
}

const listenerOfSocket = new WeakMap<object, ListenerName>();
const peerBySocket = new WeakMap<object, Peer>();
const responseOfSocket = new WeakMap<object, http.ServerResponse>();

/** The listener a raw request came in by; undefined only for requests injected in tests. */
export function listenerOf(request: { socket: object }): ListenerName | undefined {
  return listenerOfSocket.get(request.socket);
}

const peerBehindProxy = new WeakMap<object, Peer>();

/** From now on the request is the vehicle's that a proxy forwards. */
export function setPeerBehind(request: object, peer: Peer): void {
  peerBehindProxy.set(request, peer);
}

/**
 * Who asks: the other end of the connection, or the vehicle behind it where that is a proxy and admission has looked. Throws a plain error
 * for a socket of no listener: that is a bug.
 */
export function peerOf(request: { socket: object }): Peer {
  const peer = peerBehindProxy.get(request) ?? peerBySocket.get(request.socket);
  if (!peer) throw new Error('a request without a peer');
  return peer;
}

/** One Fastify instance behind several servers: vehicle mTLS, operator TLS, plain HTTP. */
@Injectable()
export class Listeners implements BeforeApplicationShutdown {
  readonly events = new EventEmitter<ListenerEvents>();
  private readonly servers: http.Server[] = [];
  private readonly direct = new Map<string, http.RequestListener>();
  /** Those with a client certificate, whose verdict may change with the anchors. */
  private readonly certified = new Set<Socket>();

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly drain: Drain,
    private readonly trustFiles: TrustFiles,
    private readonly limiter: ConnectionLimiter,
    private readonly staples: Staples,
    private readonly requestMetrics: RequestMetrics,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Opens what is configured; a port that is taken rejects with its number. */
  async open(): Promise<void> {
    const { listeners } = this.runtime.config;
    await this.adapterHost.httpAdapter.getInstance<FastifyInstance>().ready();
    await this.listen('http', http.createServer(TIMEOUTS), listeners.http);
    if (listeners.operator) await this.listenTls('operator', listeners.operator, TLS_OPTIONS);
    if (listeners.vehicle) await this.listenTls('vehicle', listeners.vehicle, VEHICLE_TLS_OPTIONS);
    this.trustFiles.events.on('changed', () => this.closeChanged());
  }

  /**
   * From now on what comes to `path`, or below it, on the plain listener goes to `handle` alone: no admission, no filter, no decision
   * log. For what anyone may ask, and whose answers a framework would cost more than they do.
   */
  answerDirectly(path: string, handle: http.RequestListener): void {
    this.direct.set(path, handle);
  }

  /** What is answered past the router. */
  get directPaths(): readonly string[] {
    return [...this.direct.keys()];
  }

  private directly(name: ListenerName, url = ''): [path: string, handle: http.RequestListener] | undefined {
    if (name !== 'http' || this.direct.size === 0) return undefined;
    for (const one of this.direct) {
      const [path] = one;
      if (url.startsWith(path) && ['/', '?', undefined].includes(url[path.length])) return one;
    }
    return undefined;
  }

  /** A server whose certificate and client anchors follow their files. */
  private async listenTls(
    name: ListenerName,
    listener: TlsListenerConfig | VehicleListenerConfig,
    options: https.ServerOptions,
  ): Promise<void> {
    let context = this.secureContext(listener);
    const server = https.createServer({ ...options, ...context });
    this.staples.serve(server, listener);
    this.trustFiles.events.on('changed', () => {
      const next = this.secureContext(listener);
      if (JSON.stringify(next) === JSON.stringify(context)) return;
      context = next;
      // New connections alone, and no session of the old context is resumed in the new one.
      server.setSecureContext({ ...CONTEXT_OPTIONS, ...context });
      this.logger.info({ listener: name }, 'new certificate or client anchors');
    });
    await this.listen(name, server, listener);
  }

  private secureContext(listener: TlsListenerConfig | VehicleListenerConfig): SecureContextOptions {
    const { certificate: cert, key } = this.trustFiles.keyPair(listener.certificateFile, listener.keyFile);
    if (!('clientAnchorFiles' in listener)) return { cert, key };
    // A client may show only what an authority of this list has certified, so proxies need theirs in it; what it makes of them is decided later.
    const ofProxies = listener.trustedProxies?.length ? this.trustFiles.infrastructureCa : [];
    const ca = [...listener.clientAnchorFiles.flatMap((file) => this.trustFiles.certificates(file)), ...ofProxies];
    return { cert, key, ca: ca.map(({ der }) => toPem(der, 'CERTIFICATE')) };
  }

  /** Whose word on client certificates is believed. */
  private trustedProxies(): TrustedProxies {
    const names = this.runtime.config.listeners.vehicle?.trustedProxies ?? [];
    return { names, anchors: names.length > 0 ? this.trustFiles.infrastructureCa : [] };
  }

  /** What client certificates of the vehicle listener chain to, now. */
  clientAnchors(): ParsedCertificate[] {
    const files = this.runtime.config.listeners.vehicle?.clientAnchorFiles ?? [];
    return files.flatMap((file) => [...this.trustFiles.certificates(file)]);
  }

  /** Tickets of before are worth nothing from now on: whoever comes back with one makes a whole handshake. */
  forgetSessions(): void {
    for (const server of this.servers)
      if (server instanceof TlsServer) server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
  }

  /** An anchor that went away takes its connections with it; one that came lets its own try again. */
  private closeChanged(): void {
    const anchors = this.clientAnchors();
    const proxies = this.trustedProxies();
    for (const socket of this.certified) {
      const peer = peerBySocket.get(socket);
      if (!peer) continue;
      const changed = isAuthorized(peer, anchors) !== peer.authorized;
      if (changed || isTrustedProxy(peer, proxies) !== (peer.isProxy === true)) socket.destroy();
    }
  }

  /** Stops accepting, lets requests in flight finish for as long as is configured, then closes every connection. */
  async beforeApplicationShutdown(): Promise<void> {
    await closeGently(this.servers, this.runtime.config.shutdown.finishMs);
  }

  private async listen(
    name: ListenerName,
    server: http.Server,
    { host, port }: { host: string; port: number },
  ): Promise<void> {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    server.headersTimeout = 10_000;
    server.requestTimeout = 30_000;
    server.keepAliveTimeout = 65_000;
    server.maxHeadersCount = 100;
    server.on(name === 'http' ? 'connection' : 'secureConnection', (socket: Socket) => this.accept(name, socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) =>
      this.events.emit('tlsFailure', {
        listener: name,
        remoteAddress: socket.remoteAddress ?? 'unknown',
        reason: error.code ?? error.message,
      }),
    );
    const answer: http.RequestListener = (request, response) => {
      responseOfSocket.set(request.socket, response);
      const [path, direct] = this.directly(name, request.url) ?? [];
      this.requestMetrics.begin(name, request, response, path);
      // Not where health is asked for: whoever asks there asks this instance.
      if (name !== 'http' || direct) this.sendElsewhere(request, response);
      if (direct) direct(request, response);
      else fastify.routing(request, response);
    };
    server.on('request', answer);
    // A body that is too large is refused before it is sent: a client that is still sending when we close may never read why.
    server.on('checkContinue', (request, response) => {
      if (Number(request.headers['content-length']) > MAX_BODY_BYTES) continueLater(request, response);
      else response.writeContinue();
      answer(request, response);
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isStreaming(socket)) return;
      // Before its handshake is over nothing can be said to it, and waiting to say it would keep it open.
      if (!listenerOfSocket.has(socket)) {
        socket.destroy();
        return;
      }
      const response = responseOfSocket.get(socket);
      const answering = response?.headersSent === true && !response.writableEnded;
      if (!socket.writable || answering) socket.destroy();
      else socket.end(answerToUnparsed(error.code), () => socket.destroy());
    });
    this.limiter.guard(name, server, { isTls: name !== 'http' });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => this.logger.error({ err: error, listener: name }, 'listener'));
    this.servers.push(server);
    this.logger.info({ listener: name, host, port }, 'listening');
  }

  /**
   * From an instance that stops. An answer that had begun before has promised to keep its connection, so the connection ends with it: the next
   * question would come here again, and meet its end.
   */
  private sendElsewhere(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (this.drain.isLeaving) response.setHeader('connection', 'close');
    else
      response.once('finish', () => {
        if (this.drain.isLeaving) request.socket.end();
      });
  }

  /** Runs in an event of the server, where a throw would end the process: a stranger's connection must cost that connection alone. */
  private accept(name: ListenerName, socket: Socket): void {
    const remoteAddress = socket.remoteAddress ?? 'unknown';
    try {
      const peer = peerOfSocket(name, socket, name === 'vehicle' ? this.clientAnchors() : [], this.trustedProxies());
      if (!peer) {
        socket.destroy();
        this.events.emit('tlsFailure', {
          listener: name,
          remoteAddress,
          reason: 'the client certificate is unreadable',
        });
        return;
      }
      listenerOfSocket.set(socket, name);
      peerBySocket.set(socket, peer);
      if (name === 'vehicle' && peer.certificate) {
        this.certified.add(socket);
        socket.once('close', () => this.certified.delete(socket));
      }
      this.events.emit('connection', socket, peer);
    } catch (error) {
      socket.destroy();
      this.logger.error({ err: error, listener: name, remoteAddress }, 'a connection could not be taken');
    }
  }
}
