/** Keeps a server that was killed away: whoever restarts it finds its port taken. */
import { createServer, type Server } from 'node:net';
import { until } from './until.js';

/** Sits on a port that was just left, so that nobody else gets it; whoever calls is hung up on. */
export function takePort(port: number, withinMs = 5000): Promise<Server> {
  return until(
    `port ${port} is free`,
    () =>
      new Promise<Server | undefined>((done) => {
        const server = createServer((socket) => socket.on('error', () => {}).destroy());
        server.once('error', () => done(undefined));
        server.listen(port, '127.0.0.1', () => done(server));
      }),
    { withinMs, everyMs: 5 },
  );
}

export function leavePort(place: Server): Promise<void> {
  return new Promise((done) => place.close(() => done()));
}
