import { Controller, Get, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import { CommandId } from '@outrider/ids';
import {
  AdmitToken,
  Admitted,
  admissionOf,
  requireStillAdmitted,
  type VehicleAdmission,
} from '@outrider/platform/admission';
import { JsonBody, On, PathParam, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MAX_OUTCOME_BYTES } from '../outcome/outcome.js';
import { OutcomeService } from '../outcome/outcome.service.js';
import { Presence } from '../presence/presence.service.js';
import type { CommandForm } from '../signing/signed-form.js';
import type { Offer } from './delivery.js';
import { DeliveryService } from './delivery.service.js';
import { OfferedCommand, SignedCommand, TakenOutcome } from './delivery-answers.js';
import { goneWith } from './gone.provider.js';
import { Interest } from './interest.service.js';
import { RecoveryRefusals } from './recovery-refusals.service.js';
import { sseSink } from './sse.provider.js';
import { LOOK_AGAIN_MS, Streams } from './streams.service.js';
import { vehicleAsk } from './vehicle-ask.js';

/** `wait`: seconds. */
const Form = z.enum(['jws', 'cose']).optional();
const NextQuery = z.strictObject({ wait: z.coerce.number().int().min(0).max(55).default(0), form: Form });
/** `form`: of a command that is released now. */
const FormQuery = z.strictObject({ form: Form });
type FormQuery = z.infer<typeof FormQuery>;
/** 16 to 32 random bytes, base64url. */
const NonceBody = z.strictObject({ nonce: z.string().regex(/^[A-Za-z0-9_-]{22,43}$/) });
const OutcomeBody = z.strictObject({ outcome: z.string().min(1).max(MAX_OUTCOME_BYTES) });

const TOKEN_MARGIN_MS = 1000;

@Controller()
export class DeliveryController {
  constructor(
    private readonly delivery: DeliveryService,
    private readonly outcomes: OutcomeService,
    private readonly interest: Interest,
    private readonly presence: Presence,
    private readonly streams: Streams,
    private readonly refusals: RecoveryRefusals,
  ) {}

  @Describe({
    summary: 'Long poll for the next command.',
    answers: { 200: OfferedCommand, 204: null },
    headers: ['DPoP'],
    problems: ['request.too_many'],
  })
  @Get('/v1/commands/next')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true, recovery: true })
  async next(
    @QueryParams(NextQuery) query: z.infer<typeof NextQuery>,
    @Admitted() vehicle: VehicleAdmission,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.presence.requireRoom(vehicle.deviceId);
    // Not past the token: a vehicle that waited is told that there is nothing, not that its token has expired.
    const deadline = Math.min(Date.now() + query.wait * 1000, vehicle.claims.exp * 1000 - TOKEN_MARGIN_MS);
    const left = this.presence.arrived(vehicle.deviceId);
    const offer = await this.awaitOffer(deadline, query.form, request, goneWith(request, reply)).finally(left);
    reply.header('cache-control', 'no-store');
    if (offer) await reply.status(200).send({ command: offer });
    else if ((admissionOf(request) as VehicleAdmission).recovery) throw this.refusals.refusal(request);
    else await reply.status(204).send();
  }

  /** Server-sent events: `command`; `token` asks for a new token; `token-expired` and `refused` end the stream. */
  @Describe({
    summary:
      'Server-sent events: `command`; `token` asks for a new token; `token-expired` and `refused` end the stream.',
    answers: { 200: { schema: OfferedCommand, types: ['text/event-stream'] } },
    headers: ['DPoP'],
    problems: ['request.too_many'],
  })
  @Get('/v1/commands/stream')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true, recovery: true })
  async stream(
    @QueryParams(FormQuery) { form }: FormQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.presence.requireRoom((admissionOf(request) as VehicleAdmission).deviceId);
    const { sink, end } = sseSink(request, reply);
    try {
      await this.streams.run(request, sink, form);
      end();
    } catch (error) {
      // Whatever ended it, PostgreSQL's absence and a withdrawn token too: the vehicle hears it and comes again.
      end(error);
    }
  }

  /** The token is the one in `Authorization`. 204: the stream goes on by it; 202: passed on to the instance that has the stream. */
  @Describe({
    summary: 'Gives an open stream the token of this request. 202: passed on to the instance that has the stream.',
    answers: { 202: null, 204: null },
    headers: ['DPoP'],
  })
  @Post('/v1/commands/stream/:stream/token')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true, recovery: true })
  async renew(
    @PathParam('stream', z.uuid()) streamId: string,
    @Headers('authorization') authorization: string,
    @Admitted() { deviceId }: VehicleAdmission,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const taken = this.streams.renew(streamId, deviceId, authorization);
    await reply.status(taken ? 204 : 202).send();
  }

  @Describe({
    summary: 'Releases a critical command against the vehicle’s nonce; the same nonce again gives the same bytes.',
    answers: { 200: SignedCommand },
    headers: ['DPoP'],
    problems: [
      'command.expired',
      'command.nonce_refused',
      'command.not_found',
      'command.state_conflict',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/v1/commands/:id/nonce')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true, recovery: true })
  @HttpCode(200)
  async nonce(
    @PathParam('id', CommandId) id: CommandId,
    @JsonBody(NonceBody) { nonce }: z.infer<typeof NonceBody>,
    @QueryParams(FormQuery) { form }: FormQuery,
    @Admitted() vehicle: VehicleAdmission,
  ) {
    const ask = vehicleAsk(vehicle, form);
    return this.delivery.answerNonce(id, ask, nonce);
  }

  @Describe({
    summary: 'Takes the vehicle’s signed outcome.',
    answers: { 200: TakenOutcome },
    headers: ['DPoP'],
    problems: [
      'command.outcome_invalid',
      'provisioning.certificate_not_found',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/v1/commands/:id/outcome')
  @On('vehicle')
  @AdmitToken({ scopes: ['command:receive'], control: true, recovery: true })
  @HttpCode(200)
  async outcome(
    @PathParam('id', CommandId) id: CommandId,
    @JsonBody(OutcomeBody) { outcome }: z.infer<typeof OutcomeBody>,
    @Admitted() vehicle: VehicleAdmission,
  ) {
    const command = await this.outcomes.take(id, outcome, vehicle);
    return { id: command.id, state: command.state };
  }

  private async awaitOffer(
    deadline: number,
    form: CommandForm | undefined,
    request: FastifyRequest,
    gone: AbortSignal,
  ): Promise<Offer | undefined> {
    const { deviceId } = admissionOf(request) as VehicleAdmission;
    if (deadline > Date.now()) await this.interest.in(deviceId);
    for (;;) {
      // Interest first, then the look: an offer between the two wakes the wait.
      const look = new AbortController();
      const wait = Math.max(0, Math.min(LOOK_AGAIN_MS, deadline - Date.now()));
      const offered = this.interest.wait(deviceId, wait, AbortSignal.any([gone, look.signal]));
      const offer = await this.handOut(request, form).catch((error: unknown) => {
        look.abort();
        throw error;
      });
      if (offer || gone.aborted || Date.now() >= deadline) {
        look.abort();
        return offer;
      }
      await offered;
      if (this.interest.isEnding(deviceId)) return undefined;
    }
  }

  /** What was admitted when the request began may have been taken out of service while it waited. */
  private handOut(request: FastifyRequest, form: CommandForm | undefined): Promise<Offer | undefined> {
    requireStillAdmitted(request);
    const vehicle = admissionOf(request) as VehicleAdmission;
    return this.delivery.ask(vehicleAsk(vehicle, form));
  }
}
