import { randomUUID } from 'node:crypto';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { streamRenewed } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { admissionOf, readmit, requireStillAdmitted, type VehicleAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { Metrics } from '@outrider/platform/service';
import type { FastifyRequest } from 'fastify';
import { Presence } from '../presence/presence.service.js';
import type { CommandForm } from '../signing/signed-form.js';
import { DeliveryService } from './delivery.service.js';
import { Interest } from './interest.service.js';
import { due } from './stream-clock.js';
import { vehicleAsk } from './vehicle-ask.js';

/** A missed offer (it travels outside any transaction) is found by looking again this often. */
export const LOOK_AGAIN_MS = 5000;
const KEEP_ALIVE_MS = 15_000;

/** Where a stream's events go. `signal` aborts when the vehicle is gone. */
export interface StreamSink {
  event(name: string, data: object, id?: string): void;
  keepAlive(): void;
  readonly signal: AbortSignal;
}

interface Open {
  readonly id: string;
  readonly request: FastifyRequest;
  readonly form: CommandForm | undefined;
  asked: boolean;
}

/** The streams that are open on this instance, and the tokens by which they go on. */
@Injectable()
export class Streams implements OnApplicationBootstrap {
  private readonly streams = new Map<string, Open>();
  private readonly renewals;

  constructor(
    private readonly delivery: DeliveryService,
    private readonly interest: Interest,
    private readonly presence: Presence,
    private readonly nats: Nats,
    metrics: Metrics,
  ) {
    const open = metrics.gauge('outrider_command_streams', 'Streams of commands that are open.');
    Object.assign(open, { collect: () => open.set(this.streams.size) });
    this.renewals = metrics.counter(
      'outrider_command_stream_renewals_total',
      'New tokens for open streams, by what became of them.',
      ['result'],
    );
  }

  onApplicationBootstrap(): void {
    this.interest.onRenewal((streamId, authorization) => {
      const stream = this.streams.get(streamId);
      // The vehicle hears of a refusal by its stream's end.
      if (stream) this.take(stream, authorization);
    });
  }

  /** Sends the vehicle its commands as they come. Ends with the token, with the vehicle or with this instance. */
  async run(request: FastifyRequest, sink: StreamSink, form?: CommandForm): Promise<void> {
    const { deviceId } = vehicleOf(request);
    const stream: Open = { id: randomUUID(), request, form, asked: false };
    this.streams.set(stream.id, stream);
    const left = this.presence.arrived(deviceId);
    try {
      await this.interest.in(deviceId);
      let shown: string | undefined;
      while (!sink.signal.aborted && !this.interest.isEnding(deviceId)) {
        const next = due(vehicleOf(request).claims, stream.asked, Date.now());
        if (next.kind === 'end') return sink.event('token-expired', {});
        if (next.kind === 'ask') {
          stream.asked = true;
          sink.event('token', { stream: stream.id, expires_at: vehicleOf(request).claims.exp });
          continue;
        }
        // Interest first, then the look: an offer between the two wakes the wait.
        const quiet = new AbortController();
        const woken = this.interest.wait(
          deviceId,
          Math.min(next.ms, shown ? LOOK_AGAIN_MS : KEEP_ALIVE_MS),
          AbortSignal.any([sink.signal, quiet.signal]),
        );
        try {
          shown = await this.show(stream, sink, shown);
        } catch (error) {
          quiet.abort();
          // Whoever notices first, the stream's clock or the look at the token: to the vehicle it is one end.
          if (error instanceof DomainError && error.code === 'auth.token_expired')
            return sink.event('token-expired', {});
          throw error;
        }
        await woken;
      }
    } finally {
      this.streams.delete(stream.id);
      left();
    }
  }

  /**
   * A vehicle's new token for the stream that it has open. True: the stream goes on by it; false: another instance may have the stream.
   * Throws what admission throws, where the token does not fit the stream's own connection.
   */
  renew(streamId: string, deviceId: DeviceId, authorization: string): boolean {
    const stream = this.streams.get(streamId);
    if (stream && vehicleOf(stream.request).deviceId === deviceId) {
      const refused = this.take(stream, authorization);
      if (refused) throw refused;
      return true;
    }
    this.nats.publish(streamRenewed, { streamId, authorization }, deviceId);
    return false;
  }

  private take(stream: Open, authorization: string): DomainError | undefined {
    try {
      readmit(stream.request, authorization);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.renewals.inc({ result: 'refused' });
      return error;
    }
    stream.asked = false;
    this.renewals.inc({ result: 'taken' });
    this.interest.wake(vehicleOf(stream.request).deviceId);
    return undefined;
  }

  /** What was admitted when the stream began may have been taken out of service since. Returns the command that the vehicle has before it. */
  private async show(
    { request, form }: Open,
    sink: StreamSink,
    shown: string | undefined,
  ): Promise<string | undefined> {
    requireStillAdmitted(request);
    const vehicle = vehicleOf(request);
    const offer = await this.delivery.ask(vehicleAsk(vehicle, form));
    requireStillAdmitted(request);
    // Quarantined meanwhile: it gets what it may have now.
    if (vehicleOf(request).recovery !== vehicle.recovery) return undefined;
    if (offer && offer.id !== shown) sink.event('command', { command: offer });
    else sink.keepAlive();
    return offer?.id;
  }
}

function vehicleOf(request: FastifyRequest): VehicleAdmission {
  return admissionOf(request) as VehicleAdmission;
}
