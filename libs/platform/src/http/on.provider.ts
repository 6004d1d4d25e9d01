import { applyDecorators, SetMetadata } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';

export type ListenerName = 'vehicle' | 'operator' | 'http';

/** Metadata key: the listener a route handler belongs to. */
export const LISTENER = 'outrider:listener';

/** Puts a route on one listener. Every request derives its listener and the constraint must match: an unmarked route is 404 everywhere. */
export function On(listener: ListenerName): MethodDecorator {
  return applyDecorators(SetMetadata(LISTENER, listener), RouteConstraints({ listener }));
}
