/** Carries a verified command out, at most once: the mark before, what it led to after, the signed outcome last, each on the disk before the next. */
import { setTimeout as sleep } from 'node:timers/promises';
import { keyAlgorithm } from '@outrider/crypto';
import type { Identity } from '../enrol/identity.js';
import type { KeyStore } from '../keys/key-store.js';
import type { Report } from '../report/report.service.js';
import { settle } from './after-crash.js';
import type { Command, Done } from './command.js';
import type { CommandStore } from './command.store.js';
import type { AgentMeans, Handlers, VehicleNow } from './handlers.js';
import { outcomeSigningInput } from './outcome.js';
import type { CommandVerdict } from './verify.js';

/** Refusals after which no outcome goes out: the command is another vehicle's, or its id has an outcome already. */
const SILENT = new Set(['wrong_device', 'wrong_id', 'altered']);

export interface ExecutorOptions {
  readonly handlers: Handlers;
  readonly vehicle: () => VehicleNow;
  readonly agent: AgentMeans;
  /** Verify and answer, and do nothing. */
  readonly dryRun: boolean;
}

export class ExecutorService {
  constructor(
    private readonly store: CommandStore,
    private readonly keys: KeyStore,
    private readonly options: ExecutorOptions,
    private readonly report: Report,
  ) {}

  async carryOut(identity: Identity, command: Command, jws: string): Promise<void> {
    this.store.begin(command, jws, Date.now());
    await this.perform(identity, command, jws, '');
  }

  /** The signed refusal; remembered only if the command was authentic, so that nobody else can use up an id. Undefined: say nothing. */
  async refuse(identity: Identity, id: string, jws: string, verdict: CommandVerdict & { kind: 'refuse' }) {
    if (SILENT.has(verdict.why)) return undefined;
    // Authentic: the platform may have forgotten what it counted up to, or this vehicle what it took, and the platform learns it from here.
    const counted = verdict.why === 'counter' || verdict.why === 'epoch';
    const last = verdict.authentic && counted ? this.store.last() : undefined;
    const detail = `${verdict.why}: ${verdict.detail}`;
    const outcome = await this.sign(identity, id, jws, {
      result: 'refused',
      detail,
      ...(last ? { data: { last } } : {}),
      time: now(),
    });
    if (!verdict.authentic) return outcome;
    this.store.refused(id, jws, outcome, Date.now());
    return undefined;
  }

  /** After a start: what was begun and has no outcome gets the one that is honest. */
  async settleInterrupted(identity: Identity): Promise<void> {
    for (const { id, jws, name, done } of this.store.interrupted()) {
      const settlement = settle(done, this.options.handlers.find(name)?.afterCrash, jws, now());
      if (settlement.kind === 'again') {
        await this.perform(identity, settlement.command, jws, 'carried out again after a crash: ');
        continue;
      }
      if (done === null) this.store.finish(id, settlement.done, {});
      this.store.answered(id, await this.sign(identity, id, jws, settlement.done));
      const { result, detail } = settlement.done;
      this.report({ event: 'command_done', id, name, result, detail, ms: 0 });
    }
  }

  private async perform(identity: Identity, command: Command, jws: string, prefix: string): Promise<void> {
    const { command_id: id, name, parameters } = command;
    const startedAt = performance.now();
    const { handlers, vehicle, agent, dryRun } = this.options;
    if (dryRun) return this.leave(identity, command, jws);
    this.report({ event: 'command_executing', id, name });
    const led = await handlers.carryOut(name, parameters, vehicle(), agent);
    await sleep(led.takesMs ?? 0);
    const { result, data, effects = {}, simulated = true } = led;
    const done: Done = { result, detail: `${prefix}${led.detail}`, data, time: now() };
    this.store.finish(id, done, effects);
    this.store.answered(id, await this.sign(identity, id, jws, done));
    for (const [effect, value] of Object.entries(effects)) {
      this.report({ event: 'effect', name: effect, value, simulated });
    }
    const { detail } = done;
    this.report({ event: 'command_done', id, name, result, detail, ms: Math.round(performance.now() - startedAt) });
  }

  /** It counts as taken, so that it is not carried out once the vehicle leaves its dry run. */
  private async leave(identity: Identity, { command_id: id, name }: Command, jws: string): Promise<void> {
    const known = this.options.handlers.find(name) !== undefined;
    const detail = known ? 'dry_run: verified, not carried out' : 'unknown_name';
    const done: Done = { result: 'refused', detail, time: now() };
    this.store.finish(id, done, {});
    this.store.answered(id, await this.sign(identity, id, jws, done));
    this.report({ event: 'command_dry_run', id, name, detail });
  }

  private async sign(identity: Identity, commandId: string, jws: string, done: Done): Promise<string> {
    const algorithm = keyAlgorithm(await this.keys.publicKey(identity.keyName));
    if (!algorithm) throw new TypeError(`${identity.keyName} cannot sign outcomes`);
    const outcome = { ...done, commandId, deviceId: identity.deviceId, jws };
    const input = outcomeSigningInput(outcome, algorithm, identity.thumbprint);
    const signature = await this.keys.sign(identity.keyName, Buffer.from(input));
    return `${input}.${signature.toString('base64url')}`;
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
