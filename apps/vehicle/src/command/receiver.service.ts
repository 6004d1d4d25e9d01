/** Takes commands as they are offered, over a stream or by long polls, carries out what verifies, and delivers signed outcomes until the platform has them. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ParsedCertificate } from '@outrider/x509';
import type { ConnectionService } from '../agent/connection.service.js';
import { Later, LinkService } from '../agent/link.service.js';
import type { VehicleAnswer } from '../http/vehicle.client.js';
import type { Report } from '../report/report.service.js';
import { Offer } from './command.js';
import type { CommandStore } from './command.store.js';
import type { ExecutorService } from './executor.service.js';
import type { Handlers } from './handlers.js';
import { type CommandPlatform, json, problemCode } from './platform.client.js';
import { signedOf } from './signed-command.js';
import { NoStream, OfferStream } from './stream.service.js';
import { type CommandVerdict, verifyCommand } from './verify.js';

const POLL_SECONDS = 25;
/** After a command that leads nowhere: the platform may offer it again at once. */
const PAUSE_MS = 2_000;
const LEAST_POLL_MS = 250;
/** Outcomes that did not get through are tried again this often while nothing else happens. */
const DELIVER_MS = 5_000;
/** Where there are no streams, polls do for so long before a stream is tried again. */
const POLL_INSTEAD_MS = 600_000;

export interface ReceiverParts {
  readonly store: CommandStore;
  readonly executor: ExecutorService;
  readonly handlers: Handlers;
  readonly connections: ConnectionService;
  readonly platform: CommandPlatform;
  readonly fleetRoots: () => readonly ParsedCertificate[];
  /** A command was carried out, and its outcome is told. */
  readonly settled: () => void;
}

export class ReceiverService {
  private streamsFrom = 0;

  constructor(
    private readonly parts: ReceiverParts,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal; rejects only for a bug. */
  async run(): Promise<void> {
    const link = new LinkService('command', this.report, this.signal);
    const { identity } = await this.parts.connections.current();
    await this.parts.executor.settleInterrupted(identity);
    while (!this.signal.aborted) {
      try {
        await this.deliver();
        if (performance.now() >= this.streamsFrom) await this.stream(link);
        else await this.poll(link);
      } catch (error) {
        if (error instanceof NoStream) this.streamsFrom = performance.now() + POLL_INSTEAD_MS;
        else await link.failed(error);
      }
    }
  }

  private async stream(link: LinkService): Promise<void> {
    const stream = await OfferStream.open(this.parts.connections, this.parts.platform, this.report, this.signal);
    try {
      while (stream.open && !this.signal.aborted) {
        const offer = await stream.next(DELIVER_MS);
        if (this.signal.aborted) return;
        if (stream.good) link.good();
        if (offer) await this.take(offer);
        else await this.deliver();
      }
      await this.pause(LEAST_POLL_MS);
    } finally {
      stream.close();
    }
  }

  private async poll(link: LinkService): Promise<void> {
    const startedAt = performance.now();
    const timeoutMs = (POLL_SECONDS + 10) * 1000;
    const answer = await this.parts.platform.ask(
      'GET',
      `/v1/commands/next?wait=${POLL_SECONDS}${this.parts.platform.form.replace('?', '&')}`,
      undefined,
      {
        timeoutMs,
      },
    );
    link.good();
    // A platform that answers at once instead of waiting must not be asked in a tight circle.
    if (answer.status === 204) return this.pause(Math.max(0, LEAST_POLL_MS - (performance.now() - startedAt)));
    const offer = Offer.safeParse(json(answer));
    if (!offer.success) throw new Later('request.malformed', 5);
    if (!(await this.take(offer.data.command))) await this.pause(PAUSE_MS);
  }

  /** False where it led nowhere: it may be offered again. */
  private async take(offer: Offer): Promise<boolean> {
    const { store, handlers, connections, fleetRoots } = this.parts;
    this.report({ event: 'command_received', id: offer.id, critical: offer.critical });
    const jws = offer.critical ? await this.release(offer.id) : signedOf(offer);
    if (jws === undefined) return false;
    const { identity } = await connections.current();
    const verdict = verifyCommand(jws, {
      now: new Date(),
      deviceId: identity.deviceId,
      trustDomain: identity.trustDomain,
      fleetRoots: fleetRoots(),
      offeredId: offer.id,
      last: store.last(),
      nonce: store.nonce(offer.id),
      stored: store.find(offer.id)?.jws,
      isCritical: (name) => handlers.isCritical(name),
    });
    return this.follow(offer.id, jws, verdict);
  }

  private async follow(id: string, jws: string, verdict: CommandVerdict): Promise<boolean> {
    const { store, executor, connections } = this.parts;
    const { identity } = await connections.current();
    switch (verdict.kind) {
      case 'carry_out':
        await executor.carryOut(identity, verdict.command, jws);
        await this.deliver();
        this.parts.settled();
        return true;
      case 'again': {
        this.report({ event: 'command_again', id });
        const outcome = store.find(id)?.outcome;
        if (outcome) await this.post(id, outcome);
        return false;
      }
      case 'refuse': {
        this.report({ event: 'command_refused', id, code: verdict.why, detail: verdict.detail });
        const outcome = await executor.refuse(identity, id, jws, verdict);
        if (outcome) await this.post(id, outcome);
        else await this.deliver();
        return verdict.authentic;
      }
    }
  }

  /** A critical command is released against a nonce of ours, the same one after a crash. */
  private async release(id: string): Promise<string | undefined> {
    const { store, platform } = this.parts;
    const known = store.find(id);
    if (known) return known.jws;
    const nonce = store.nonce(id)?.nonce ?? randomBytes(32).toString('base64url');
    if (store.nonce(id) === undefined) store.saveNonce(id, nonce, Date.now());
    const answer = await platform.ask('POST', `/v1/commands/${id}/nonce${platform.form}`, { nonce });
    const signed = answer.status === 200 ? signedOf(json(answer)) : undefined;
    if (signed !== undefined) return signed;
    this.report({ event: 'command_refused', id, code: problemCode(answer), detail: 'not released' });
    return undefined;
  }

  private async deliver(): Promise<void> {
    for (const { id, outcome, result } of this.parts.store.undelivered()) {
      const answer = await this.post(id, outcome);
      this.parts.store.delivered(id);
      if (answer.status === 200) this.report({ event: 'outcome_delivered', id, result });
    }
  }

  /** A refused outcome (4xx) will not get better: told, and not sent again. */
  private async post(id: string, outcome: string): Promise<VehicleAnswer> {
    const answer = await this.parts.platform.ask('POST', `/v1/commands/${id}/outcome`, { outcome });
    if (answer.status !== 200) this.report({ event: 'outcome_rejected', id, code: problemCode(answer) });
    return answer;
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => undefined);
  }
}
