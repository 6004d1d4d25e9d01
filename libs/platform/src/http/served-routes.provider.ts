import type { FastifyInstance, RouteOptions } from 'fastify';

const served = new WeakMap<object, string[]>();

/** Keeps the router's own list of what it serves, as the document of a service is compared with it. */
export function noteServedRoutes(fastify: FastifyInstance): void {
  const routes: string[] = [];
  served.set(fastify, routes);
  fastify.addHook('onRoute', ({ method, url, constraints }: RouteOptions) => {
    const { listener = 'none' } = (constraints ?? {}) as { listener?: string };
    // HEAD is what GET brings with it.
    for (const one of [method].flat()) if (one !== 'HEAD') routes.push(`${listener} ${one} ${url}`);
  });
}

/** `<listener> <METHOD> <path>` each, sorted. */
export function servedRoutes(fastify: object): readonly string[] {
  return [...(served.get(fastify) ?? [])].sort();
}
