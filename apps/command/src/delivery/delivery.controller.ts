import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { CommandId } from '@outrider/ids';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
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
    const gone = goneWith(request);
    const offer = await this.awaitOffer(vehicle, Date.now() + query.wait * 1000, gone);
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
    const gone = goneWith(request);
    const end = vehicle.claims.exp * 1000;
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    let shown: string | undefined;
    while (!gone.aborted && Date.now() < end) {
      const offer = await this.delivery.next(vehicle.deviceId, mayCritical(vehicle));
      if (offer && offer.id !== shown)
        reply.raw.write(`event: command\ndata: ${JSON.stringify({ command: offer })}\n\n`);
      else reply.raw.write(': here\n\n');
      shown = offer?.id;
      await this.waiting.forOffer(
        vehicle.deviceId,
        Math.min(KEEP_ALIVE_MS, offer ? LOOK_AGAIN_MS : KEEP_ALIVE_MS, Math.max(0, end - Date.now())),
        gone,
      );
    }
    if (!gone.aborted) reply.raw.end('event: token-expired\ndata: {}\n\n');
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

  private async awaitOffer(vehicle: VehicleAdmission, deadline: number, gone: AbortSignal): Promise<Offer | undefined> {
    for (;;) {
      // Interest first, then the look: an offer between the two wakes the wait.
      const look = new AbortController();
      const offered = this.waiting.forOffer(
        vehicle.deviceId,
        Math.max(0, Math.min(LOOK_AGAIN_MS, deadline - Date.now())),
        AbortSignal.any([gone, look.signal]),
      );
      const offer = await this.delivery.next(vehicle.deviceId, mayCritical(vehicle));
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

/** Aborts when the vehicle hangs up. */
function goneWith(request: FastifyRequest): AbortSignal {
  const gone = new AbortController();
  request.raw.socket.once('close', () => gone.abort());
  return gone.signal;
}
