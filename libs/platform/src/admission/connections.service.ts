import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import {
  connectionSubject,
  type Denylist,
  type DenylistEntry,
  type DenylistSubject,
  entryNames,
} from '@outrider/admission';
import { Listeners } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { clientCertificate } from './client-certificate.js';

interface Live {
  readonly subject: DenylistSubject;
  readonly end: () => void;
}

/**
 * The live TLS connections by whom they belong to, so that a new denylist entry closes those it names. Behind a proxy the live requests
 * instead: the proxy's connection is many vehicles'.
 */
@Injectable()
export class Connections implements OnModuleInit {
  /** Certificates, keys or vehicles were taken out of service, whether or not they were connected. */
  readonly events = new EventEmitter<{ denied: [] }>();
  private readonly all = new Set<Live>();
  private readonly byName = new Map<string, Set<Live>>();
  private readonly closed;

  constructor(
    private readonly listeners: Listeners,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.closed = metrics.counter(
      'outrider_connections_closed_total',
      'Live connections, and requests through proxies, that the denylist ended.',
    );
    const open = metrics.gauge('outrider_connections', 'Live TLS connections, and requests through proxies.');
    this.listeners.events.on('connection', () => open.set(this.all.size));
  }

  onModuleInit(): void {
    this.listeners.events.on('connection', (socket, peer) => {
      if (peer.listener !== 'http') this.add(socket, peer);
    });
  }

  get size(): number {
    return this.all.size;
  }

  add(socket: Socket, peer: Peer): void {
    const remove = this.file(peer, () => socket.destroy());
    socket.once('close', remove);
  }

  /** A request of the vehicle behind a proxy; `end` is called at most once. Returns how to forget it when it is answered. */
  addRequest(peer: Peer, end: () => void): () => void {
    return this.file(peer, end);
  }

  private file(peer: Peer, end: () => void): () => void {
    const certificate = clientCertificate(peer, this.runtime.config.trustDomain);
    const live = { subject: connectionSubject({ certificate, remoteAddress: peer.remoteAddress }), end };
    this.all.add(live);
    for (const name of namesOf(live.subject)) {
      const group = this.byName.get(name) ?? new Set();
      this.byName.set(name, group.add(live));
    }
    return () => this.remove(live);
  }

  /** Ends every connection that one of `entries` names, whatever its mode: it may come back where recovery is open. Returns how many. */
  closeNamed(entries: readonly DenylistEntry[], nowMs: number): number {
    if (entries.some(takesOut)) this.events.emit('denied');
    const doomed = new Set<Live>();
    for (const entry of entries) {
      if (entry.removed || (entry.until !== undefined && Date.parse(entry.until) <= nowMs)) continue;
      const candidates = entry.kind === 'network' ? this.all : this.byName.get(`${entry.kind}.${entry.value}`);
      for (const live of candidates ?? []) if (entryNames(entry, live.subject)) doomed.add(live);
    }
    return this.close(doomed);
  }

  /** Closes every connection that the list names now; for a list that was swapped in whole. */
  closeMatching(list: Pick<Denylist, 'match'>, nowMs: number): number {
    this.events.emit('denied');
    return this.close([...this.all].filter(({ subject }) => list.match(subject, nowMs)?.mode === 'deny'));
  }

  private close(doomed: Iterable<Live>): number {
    let count = 0;
    for (const live of doomed) {
      this.remove(live);
      live.end();
      count += 1;
    }
    this.closed.inc(count);
    return count;
  }

  private remove(live: Live): void {
    if (!this.all.delete(live)) return;
    for (const name of namesOf(live.subject)) {
      const group = this.byName.get(name);
      group?.delete(live);
      if (group?.size === 0) this.byName.delete(name);
    }
  }
}

/** A certificate that gave way to its successor is nobody's whom a session should not let in; its requests are refused all the same. */
function takesOut({ kind, mode, reason, removed }: DenylistEntry): boolean {
  return !removed && mode === 'deny' && kind !== 'token' && kind !== 'network' && reason !== 'superseded';
}

function namesOf({ thumbprint, serial, keyThumbprint, deviceId }: DenylistSubject): string[] {
  const names = [];
  if (thumbprint !== undefined) names.push(`certificate.${thumbprint}`);
  if (serial !== undefined) names.push(`serial.${serial}`);
  if (keyThumbprint !== undefined) names.push(`key.${keyThumbprint}`);
  if (deviceId !== undefined) names.push(`device.${deviceId}`);
  return names;
}
