import type { Server } from 'node:http';

/** A connection whose last answer is out is closed this soon after. */
const LOOK_MS = 50;

/** Accepts nothing more, lets what is under way finish for `finishMs`, then cuts. Resolves when no connection is left. */
export async function closeGently(servers: readonly Server[], finishMs: number): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  const closeIdle = () => {
    for (const server of servers) server.closeIdleConnections();
  };
  closeIdle();
  const looking = setInterval(closeIdle, LOOK_MS);
  const cut = setTimeout(() => {
    for (const server of servers) server.closeAllConnections();
  }, finishMs);
  await Promise.all(closed);
  clearInterval(looking);
  clearTimeout(cut);
}
