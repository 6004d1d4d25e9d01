import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { type ClientCertificate, connectionSubject, type DenylistEntry } from '@outrider/admission';
import { Connections, clientCertificate, DenylistFeed } from '@outrider/platform/admission';
import { isTrustedProxy, type Peer, peerOfSocket } from '@outrider/platform/http';
import { CONFIG, RUNTIME, type Runtime, TrustFiles } from '@outrider/platform/service';
import type { Config } from '../config.js';

/** The connections that edges ask on: who is at the other end, and whether it is believed now. */
@Injectable()
export class EdgeConnections {
  private readonly peers = new Map<
    Socket,
    { readonly peer: Peer; readonly certificate: ClientCertificate | undefined }
  >();
  private readonly byAddress = new Map<string, Socket>();
  private readonly names: readonly string[];

  constructor(
    private readonly connections: Connections,
    private readonly feed: DenylistFeed,
    private readonly trustFiles: TrustFiles,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(CONFIG) { authorization }: Config,
  ) {
    this.names = authorization?.edges ?? [];
    trustFiles.events.on('changed', () => this.closeChanged());
  }

  /** Reads the other end of a fresh connection; a new denylist entry that names it closes it. Undefined where its certificate is unreadable. */
  accept(socket: Socket): Peer | undefined {
    const peer = peerOfSocket('vehicle', socket, [], { names: this.names, anchors: this.trustFiles.infrastructureCa });
    if (!peer) return undefined;
    this.peers.set(socket, { peer, certificate: clientCertificate(peer, this.runtime.config.trustDomain) });
    this.connections.add(socket, peer);
    const address = addressOf(socket);
    this.byAddress.set(address, socket);
    socket.once('close', () => {
      this.peers.delete(socket);
      if (this.byAddress.get(address) === socket) this.byAddress.delete(address);
    });
    return peer;
  }

  /** Throws a plain error for a socket that was not accepted: that is a bug. */
  peerOf(socket: object): Peer {
    const known = this.peers.get(socket as Socket);
    if (!known) throw new Error('a question on a connection of nobody');
    return known.peer;
  }

  /** The connection from `address:port`, while it is open. */
  socketOf(address: string): object | undefined {
    return this.byAddress.get(address);
  }

  /** What the denylist says of the edge itself, now; asked at each question, since an entry closes only what was open when it came. */
  denied(socket: object): DenylistEntry | undefined {
    const { peer, certificate } = this.peers.get(socket as Socket) ?? {};
    if (!peer) return undefined;
    return this.feed.match(connectionSubject({ certificate, remoteAddress: peer.remoteAddress }));
  }

  /** One that is no edge any more, or has become one, asks on a new connection. */
  private closeChanged(): void {
    const proxies = { names: this.names, anchors: this.trustFiles.infrastructureCa };
    for (const [socket, { peer }] of this.peers)
      if (isTrustedProxy(peer, proxies) !== (peer.isProxy === true)) socket.destroy();
  }
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
