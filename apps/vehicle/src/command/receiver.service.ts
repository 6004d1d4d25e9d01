/** Long-polls for commands, carries out what verifies, and delivers signed outcomes until the platform has them. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ParsedCertificate } from '@outrider/x509';
import type { Connection, ConnectionService } from '../agent/connection.service.js';
import { Denied, Later, LinkService } from '../agent/link.service.js';
import type { VehicleAnswer } from '../http/vehicle.client.js';
import type { Report } from '../report/report.service.js';
import { Offer } from './command.js';
import type { CommandStore } from './command.store.js';
import type { ExecutorService } from './executor.service.js';
import { type CommandVerdict, verifyCommand } from './verify.js';

const POLL_SECONDS = 25;
/** After a command that leads nowhere: the platform may offer it again at once. */
const PAUSE_MS = 2_000;
const LEAST_POLL_MS = 250;

export class ReceiverService {
  constructor(
    private readonly store: CommandStore,
    private readonly executor: ExecutorService,
    private readonly connections: ConnectionService,
    private readonly fleetRoots: () => readonly ParsedCertificate[],
    private readonly origin: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal; rejects only for a bug. */
  async run(): Promise<void> {
    const link = new LinkService('command', this.report, this.signal);
    const { identity } = await this.connections.current();
    await this.executor.settleInterrupted(identity);
    while (!this.signal.aborted) {
      try {
        await this.deliver();
        const offer = await this.poll();
        link.good();
        if (offer) await this.take(offer);
      } catch (error) {
        await link.failed(error);
      }
    }
  }

  private async poll(): Promise<Offer | undefined> {
    const startedAt = performance.now();
    const answer = await this.ask('GET', `/v1/commands/next?wait=${POLL_SECONDS}`);
    if (answer.status === 204) return this.slowly(startedAt);
    const offer = Offer.safeParse(json(answer));
    if (!offer.success) throw new Later('request.malformed', 5);
    return offer.data.command;
  }

  private async take(offer: Offer): Promise<void> {
    this.report({ event: 'command_received', id: offer.id, critical: offer.critical });
    const jws = offer.critical ? await this.release(offer.id) : offer.jws;
    if (jws === undefined) return this.pause();
    const { identity } = await this.connections.current();
    const verdict = verifyCommand(jws, {
      now: new Date(),
      deviceId: identity.deviceId,
      trustDomain: identity.trustDomain,
      fleetRoots: this.fleetRoots(),
      offeredId: offer.id,
      last: this.store.last(),
      nonce: this.store.nonce(offer.id),
      stored: this.store.find(offer.id)?.jws,
    });
    await this.follow(offer.id, jws, verdict);
  }

  private async follow(id: string, jws: string, verdict: CommandVerdict): Promise<void> {
    const { identity } = await this.connections.current();
    switch (verdict.kind) {
      case 'carry_out':
        await this.executor.carryOut(identity, verdict.command, jws);
        return this.deliver();
      case 'again': {
        this.report({ event: 'command_again', id });
        const outcome = this.store.find(id)?.outcome;
        if (outcome) await this.post(id, outcome);
        return this.pause();
      }
      case 'refuse': {
        this.report({ event: 'command_refused', id, code: verdict.why, detail: verdict.detail });
        const outcome = await this.executor.refuse(identity, id, jws, verdict);
        if (outcome) await this.post(id, outcome);
        return verdict.authentic ? undefined : this.pause();
      }
    }
  }

  /** A critical command is released against a nonce of ours, the same one after a crash. */
  private async release(id: string): Promise<string | undefined> {
    const known = this.store.find(id);
    if (known) return known.jws;
    const nonce = this.store.nonce(id) ?? randomBytes(32).toString('base64url');
    if (this.store.nonce(id) === undefined) this.store.saveNonce(id, nonce, Date.now());
    const answer = await this.ask('POST', `/v1/commands/${id}/nonce`, JSON.stringify({ nonce }));
    const { jws } = json(answer) as { jws?: unknown };
    if (answer.status === 200 && typeof jws === 'string') return jws;
    this.report({ event: 'command_refused', id, code: problemCode(answer), detail: 'not released' });
    return undefined;
  }

  private async deliver(): Promise<void> {
    for (const { id, outcome, result } of this.store.undelivered()) {
      const answer = await this.post(id, outcome);
      this.store.delivered(id);
      if (answer.status === 200) this.report({ event: 'outcome_delivered', id, result });
    }
  }

  /** A refused outcome (4xx) will not get better: told, and not sent again. */
  private async post(id: string, outcome: string): Promise<VehicleAnswer> {
    const answer = await this.ask('POST', `/v1/commands/${id}/outcome`, JSON.stringify({ outcome }));
    if (answer.status !== 200) this.report({ event: 'outcome_rejected', id, code: problemCode(answer) });
    return answer;
  }

  /** Throws Denied or Later for what concerns the vehicle and not this one request; a stale token is replaced once. */
  private async ask(method: 'GET' | 'POST', path: string, body?: string): Promise<VehicleAnswer> {
    const connection = await this.connections.current();
    let answer = await this.send(connection, method, path, body);
    if (answer.status === 401) {
      connection.tokens.forget('control');
      answer = await this.send(connection, method, path, body);
    }
    const { status } = answer;
    if (status === 401 || status === 403) throw new Denied(problemCode(answer), answer.retryAfterSeconds);
    if (status === 429 || status >= 500) throw new Later(problemCode(answer), answer.retryAfterSeconds);
    return answer;
  }

  private async send(connection: Connection, method: 'GET' | 'POST', path: string, body?: string) {
    const token = await connection.tokens.get('control');
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = {
      method,
      headers: { accept: 'application/json', ...type },
      timeoutMs: method === 'GET' ? (POLL_SECONDS + 10) * 1000 : 10_000,
      signal: this.signal,
      ...(body === undefined ? {} : { body }),
    };
    return connection.authorized.send(`${this.origin}${path}`, request, token);
  }

  /** A platform that answers at once instead of waiting must not be asked in a tight circle. */
  private async slowly(startedAt: number): Promise<undefined> {
    await this.pause(Math.max(0, LEAST_POLL_MS - (performance.now() - startedAt)));
    return undefined;
  }

  private async pause(ms: number = PAUSE_MS): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => undefined);
  }
}

function json(answer: VehicleAnswer): unknown {
  try {
    return JSON.parse(answer.body) ?? {};
  } catch {
    return {};
  }
}

function problemCode(answer: VehicleAnswer): string {
  const { code } = json(answer) as { code?: unknown };
  return typeof code === 'string' ? code.slice(0, 80) : `http.${answer.status}`;
}
