/** Carries a verified command out, exactly once: the mark before, the outcome after, and an honest `uncertain` when only the mark is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import { keyAlgorithm } from '@outrider/crypto';
import type { Identity } from '../enrol/identity.js';
import type { KeyStore } from '../keys/key-store.js';
import type { Report } from '../report/report.service.js';
import { carryOut, type VehicleNow } from './carry-out.js';
import type { Command } from './command.js';
import type { CommandStore } from './command.store.js';
import { type Outcome, outcomeSigningInput } from './outcome.js';
import type { CommandVerdict } from './verify.js';

/** Refusals after which no outcome goes out: the command is another vehicle's, or its id has an outcome already. */
const SILENT = new Set(['wrong_device', 'wrong_id', 'altered']);

export class ExecutorService {
  constructor(
    private readonly store: CommandStore,
    private readonly keys: KeyStore,
    private readonly vehicle: () => VehicleNow,
    private readonly report: Report,
  ) {}

  async carryOut(identity: Identity, command: Command, jws: string): Promise<void> {
    const { command_id: id, name } = command;
    const startedAt = performance.now();
    this.store.begin(command, jws, Date.now());
    this.report({ event: 'command_executing', id, name });
    const done = carryOut(command, this.vehicle());
    await sleep(done.takesMs);
    const { result, detail, data } = done;
    const outcome = await this.sign(identity, id, jws, { result, detail, data });
    this.store.finish(id, result, outcome, done.effects);
    for (const [effect, value] of Object.entries(done.effects)) {
      this.report({ event: 'effect', name: effect, value, simulated: true });
    }
    this.report({ event: 'command_done', id, name, result, detail, ms: Math.round(performance.now() - startedAt) });
  }

  /** The signed refusal; remembered only if the command was authentic, so that nobody else can use up an id. Undefined: say nothing. */
  async refuse(identity: Identity, id: string, jws: string, verdict: CommandVerdict & { kind: 'refuse' }) {
    if (SILENT.has(verdict.why)) return undefined;
    const outcome = await this.sign(identity, id, jws, {
      result: 'refused',
      detail: `${verdict.why}: ${verdict.detail}`,
    });
    if (!verdict.authentic) return outcome;
    this.store.refused(id, jws, outcome, Date.now());
    return undefined;
  }

  /** After a start: what was begun and never finished may or may not have happened, and says so. */
  async settleInterrupted(identity: Identity): Promise<void> {
    for (const { id, jws, name } of this.store.interrupted()) {
      const detail = 'interrupted while it was carried out';
      const outcome = await this.sign(identity, id, jws, { result: 'uncertain', detail });
      this.store.finish(id, 'uncertain', outcome, {});
      this.report({ event: 'command_done', id, name, result: 'uncertain', detail, ms: 0 });
    }
  }

  private async sign(
    identity: Identity,
    commandId: string,
    jws: string,
    said: Pick<Outcome, 'result' | 'detail' | 'data'>,
  ) {
    const algorithm = keyAlgorithm(await this.keys.publicKey(identity.keyName));
    if (!algorithm) throw new TypeError(`${identity.keyName} cannot sign outcomes`);
    const time = Math.floor(Date.now() / 1000);
    const outcome = { ...said, commandId, deviceId: identity.deviceId, jws, time };
    const input = outcomeSigningInput(outcome, algorithm, identity.thumbprint);
    const signature = await this.keys.sign(identity.keyName, Buffer.from(input));
    return `${input}.${signature.toString('base64url')}`;
  }
}
