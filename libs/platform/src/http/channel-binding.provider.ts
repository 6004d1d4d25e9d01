import { TLSSocket } from 'node:tls';

export interface ChannelBinding {
  readonly type: 'tls-unique' | 'tls-exporter';
  readonly value: Uint8Array;
}

const EXPORTER_BYTES = 32;

/**
 * What names this connection and no other, as the client computes it too: on TLS 1.3 the exporter (RFC 9266), on TLS 1.2 the first
 * Finished message of the last handshake (RFC 5929 §3.1), which a resuming server sends and otherwise the client. Undefined without TLS.
 */
export function channelBindingOf(request: { socket: object }): ChannelBinding | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  if (socket.getProtocol() === 'TLSv1.3') {
    const value = socket.exportKeyingMaterial(EXPORTER_BYTES, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    return { type: 'tls-exporter', value };
  }
  const value = socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished();
  return value && { type: 'tls-unique', value };
}
