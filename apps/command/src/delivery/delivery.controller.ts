import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { CommandId } from '@outrider/ids';
import { AdmitToken, Admitted, requireStillAdmitted, type VehicleAdmission } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MAX_OUTCOME_BYTES } from '../outcome/outcome.js';
import { OutcomeService } from '../outcome/outcome.service.js';
import type { Offer } from './delivery.js';
import { DeliveryService } from './delivery.service.js';
import { Waiting } from './waiting.service.js';

/** `wait`: seconds. */
const NextQuery = z.strictObject({ wait: z.coerce.number().int().min(0).max(55).default(0) });
/** 16 to 32 random bytes, base64url. */
const NonceBody = z.strictObject({ nonce: z.string().regex(/^[A-Za-z0-9_-]{22,43}$/) });
const OutcomeBody = z.strictObject({ outcome: z.string().min(1).max(MAX_OUTCOME_BYTES) });

/** A missed offer (it travels outside any transaction) is found by looking again this often. */
const LOOK_AGAIN_MS = 5000;
const KEEP_ALIVE_MS = 15_000;
const TOKEN_MARGIN_MS = 1000;

@Controller()
export class DeliveryController {
  constructor(
    private readonly delivery: DeliveryService,
    private readonly outcomes: OutcomeService,
    private readonly waiting: Waiting,
  ) {}

  @Get('/v1/commands/next')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true })
  async next(
    @QueryParams(NextQuery) query: z.infer<typeof NextQuery>,
    @Admitted() vehicle: VehicleAdmission,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    // Not past the token: a vehicle that waited is told that there is nothing, not that its token has expired.
    const deadline = Math.min(Date.now() + query.wait * 1000, vehicle.claims.exp * 1000 - TOKEN_MARGIN_MS);
    const offer = await this.awaitOffer(vehicle, deadline, request, goneWith(request, reply));
    reply.header('cache-control', 'no-store');
    if (offer) await reply.status(200).send({ command: offer });
    else await reply.status(204).send();
  }

  /** Server-sent events, each `command`; ends with the token, and the vehicle comes back with a new one. */
  @Get('/v1/commands/stream')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true })
  async stream(
    @Admitted() vehicle: VehicleAdmission,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = goneWith(request, reply);
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    try {
      await this.streamOffers(vehicle, request, reply, gone);
      if (!gone.aborted) reply.raw.write('event: token-expired\ndata: {}\n\n');
    } finally {
      // Whatever ended it, PostgreSQL's absence and a withdrawn token too: the vehicle hears it and comes again.
      reply.raw.end();
    }
  }

  @Post('/v1/commands/:id/nonce')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:critical'], control: true })
  @HttpCode(200)
  async nonce(
    @PathParam('id', CommandId) id: CommandId,
    @JsonBody(NonceBody) { nonce }: z.infer<typeof NonceBody>,
    @Admitted() vehicle: VehicleAdmission,
  ) {
    return { jws: await this.delivery.answerNonce(id, vehicle.deviceId, nonce) };
  }

  @Post('/v1/commands/:id/outcome')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true })
  @HttpCode(200)
  async outcome(
    @PathParam('id', CommandId) id: CommandId,
    @JsonBody(OutcomeBody) { outcome }: z.infer<typeof OutcomeBody>,
    @Admitted() vehicle: VehicleAdmission,
  ) {
    const command = await this.outcomes.take(id, outcome, vehicle);
    return { id: command.id, state: command.state };
  }

  /** Returns when the token has expired, the vehicle is gone or this instance stops. */
  private async streamOffers(
    vehicle: VehicleAdmission,
    request: FastifyRequest,
    reply: FastifyReply,
    gone: AbortSignal,
  ): Promise<void> {
    const end = vehicle.claims.exp * 1000;
    let shown: string | undefined;
    while (!gone.aborted && !this.waiting.stopping && Date.now() < end) {
      const offer = await this.handOut(vehicle, request);
      if (offer && offer.id !== shown)
        reply.raw.write(`event: command\ndata: ${JSON.stringify({ command: offer })}\n\n`);
      else reply.raw.write(': here\n\n');
      shown = offer?.id;
      await this.waiting.forOffer(
        vehicle.deviceId,
        Math.min(offer ? LOOK_AGAIN_MS : KEEP_ALIVE_MS, Math.max(0, end - Date.now())),
        gone,
      );
    }
  }

  /** What was admitted when the request began may have been taken out of service while it waited. */
  private handOut(vehicle: VehicleAdmission, request: FastifyRequest): Promise<Offer | undefined> {
    requireStillAdmitted(request);
    return this.delivery.next(vehicle.deviceId, mayCritical(vehicle));
  }

  private async awaitOffer(
    vehicle: VehicleAdmission,
    deadline: number,
    request: FastifyRequest,
    gone: AbortSignal,
  ): Promise<Offer | undefined> {
    for (;;) {
      // Interest first, then the look: an offer between the two wakes the wait.
      const look = new AbortController();
      const offered = this.waiting.forOffer(
        vehicle.deviceId,
        Math.max(0, Math.min(LOOK_AGAIN_MS, deadline - Date.now())),
        AbortSignal.any([gone, look.signal]),
      );
      const offer = await this.handOut(vehicle, request).catch((error: unknown) => {
        look.abort();
        throw error;
      });
      if (offer || gone.aborted || Date.now() >= deadline) {
        look.abort();
        return offer;
      }
      await offered;
      if (this.waiting.stopping) return undefined;
    }
  }
}

function mayCritical({ claims }: VehicleAdmission): boolean {
  return claims.scope.split(' ').includes('command:critical');
}

/** Aborts when the vehicle hangs up, or has its answer. Asked of the response: a connection outlives many of them. */
function goneWith(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (request.raw.socket.destroyed) gone.abort();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
