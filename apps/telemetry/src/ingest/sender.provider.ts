import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { parseVehicleSpiffeId, TrustDomain } from '@outrider/ids';
import { peerOf } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import type { Sender } from './ingest.service.js';

/** Parameter decorator: the vehicle that admission let in, with the certificate of its connection. */
export const From = createParamDecorator((_data: unknown, context: ExecutionContext): Sender => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { certificate, remoteAddress } = peerOf(request.raw);
  const deviceId = certificate?.sanUris.map((u) => parseVehicleSpiffeId(u, TrustDomain.parse('fleet.example.com')))[0];
  if (!certificate || !deviceId) throw new Error('a vehicle route without admission');
  return { deviceId, certificate, remoteAddress };
});
