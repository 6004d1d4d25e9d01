import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { admissionOf } from '@outrider/platform/admission';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Observable, tap } from 'rxjs';
import { Limits } from './limits.service.js';

/** Tells a vehicle in every answer what it may still send, whatever the answer is. Ingest does so itself: that path is hot. */
@Injectable()
export class RateLimitFields implements NestInterceptor {
  constructor(private readonly limits: Limits) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const admission = admissionOf(http.getRequest<FastifyRequest>());
    // Operators' routes of the same controller count against nobody's bucket.
    if (!('certificate' in admission) || admission.deviceId === undefined) return next.handle();
    const { deviceId } = admission;
    const tell = (error?: unknown) =>
      void http.getResponse<FastifyReply>().headers(this.limits.headers(deviceId, error));
    return next.handle().pipe(tap({ next: () => tell(), error: tell }));
  }
}
