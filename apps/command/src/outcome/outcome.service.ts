import { Inject, Injectable } from '@nestjs/common';
import { vehicleCertificateGet } from '@outrider/contracts';
import { type VerificationKey, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId, Thumbprint } from '@outrider/ids';
import type { VehicleAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Sharers } from '@outrider/platform/service';
import { parseCertificate } from '@outrider/x509';
import type { EntityManager } from 'typeorm';
import { type Command, type Evidence, resolve, type Transition } from '../command/command.js';
import { Transitions } from '../command/transitions.repository.js';
import { Gathering, type Settled } from '../delivery/gathering.js';
import { vehicleEvidence } from '../delivery/vehicle-ask.js';
import { lastCounterOf, signerOf, stateOf, verifyOutcome } from './outcome.js';
import { type Answered, Outcomes, type Word } from './outcomes.repository.js';

const ROUND = { most: 64, rounds: 2 };

/** An outcome as it came, from which device, and the key that must have signed it. */
interface Arrived {
  readonly id: CommandId;
  readonly deviceId: DeviceId;
  readonly compact: string;
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
  readonly evidence: Evidence;
}

interface Taken extends Word {
  readonly transition: Transition;
}

/** Takes vehicles' outcomes; those that arrive at the same time share a commit. */
@Injectable()
export class OutcomeService {
  private readonly sharers = new Sharers<Arrived>('command.outcome');
  private readonly arrived = new Gathering<Arrived, Command>(
    (outcomes) => this.sharers.run(outcomes, () => this.round(outcomes)),
    ROUND,
  );

  constructor(
    private readonly database: Database,
    private readonly transitions: Transitions,
    private readonly outcomes: Outcomes,
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Takes the vehicle's outcome; the identical one again gets the same answer. Throws `command.not_found`, `command.outcome_invalid`, `command.state_conflict`. */
  async take(id: CommandId, compact: string, vehicle: VehicleAdmission): Promise<Command> {
    const thumbprint = signerOf(compact);
    const key = await this.keyOf(thumbprint, vehicle);
    const evidence = vehicleEvidence(vehicle);
    return this.arrived.add(this.sharers.note({ id, deviceId: vehicle.deviceId, compact, thumbprint, key, evidence }));
  }

  private round(outcomes: readonly Arrived[]): Promise<Settled<Command>[]> {
    const now = new Date();
    return this.database.transaction(async (tx) => {
      const commands = await this.outcomes.lock(
        tx,
        outcomes.map(({ id }) => id),
      );
      const taken: Taken[] = [];
      const settled = outcomes.map((outcome) => settle(() => judge(outcome, commands, taken, now)));
      await this.outcomes.insert(tx, taken, now);
      await this.transitions.save(
        tx,
        taken.map(({ transition }) => transition),
      );
      await this.followCounters(tx, taken);
      return settled;
    });
  }

  private async followCounters(tx: EntityManager, taken: readonly Taken[]): Promise<void> {
    const byNonce = taken.filter(({ transition, payload }) => transition.command.nonce && payload.result !== 'refused');
    await this.outcomes.synced(
      tx,
      byNonce.map(({ payload }) => payload.device_id),
    );
    for (const { payload } of taken) {
      const { device_id: deviceId } = payload;
      const last = lastCounterOf(payload);
      if (last && (await this.outcomes.resync(tx, deviceId, last)))
        this.logger.warn({ deviceId, last }, 'the vehicle is ahead of its counter: a new epoch begins');
      else if (last && (await this.outcomes.leadOn(tx, deviceId, last)))
        this.logger.warn({ deviceId, last }, 'the vehicle is in an earlier epoch: its next command leads it on');
    }
  }

  /** The key of the device's certificate `kid`: the connection's, or another of its own (it may have renewed since). */
  private async keyOf(kid: Thumbprint, { certificate, deviceId }: VehicleAdmission): Promise<VerificationKey> {
    if (kid === certificate.thumbprint) return verificationKey(certificate.spkiDer);
    const found = await this.nats.request(vehicleCertificateGet, { thumbprint: kid }).catch((error: unknown) => {
      if (error instanceof DomainError && error.code === 'provisioning.certificate_not_found') return undefined;
      throw error;
    });
    if (!found || !isUsable(found, deviceId))
      throw new DomainError('command.outcome_invalid', { detail: 'kid is no certificate of this device' });
    return verificationKey(parseCertificate(found.certificate).spkiDer);
  }
}

/** The command as it stands with this outcome, which joins `taken` if it is new. */
function judge(outcome: Arrived, commands: Map<CommandId, Answered>, taken: Taken[], now: Date): Command {
  const { id, deviceId, compact, thumbprint, key, evidence } = outcome;
  const answered = commands.get(id);
  if (answered?.command.deviceId !== deviceId) throw new DomainError('command.not_found');
  const { command } = answered;
  const payload = verifyOutcome(compact, key, command);
  const beside = taken.find(({ transition }) => transition.command.id === id);
  const standing = answered.standing ?? beside?.compact;
  if (standing === compact) return beside?.transition.command ?? command;
  if (standing !== undefined) throw new DomainError('command.state_conflict', { detail: 'another outcome stands' });
  const transition = { ...resolve(command, stateOf(payload.result), payload.detail, now), evidence };
  taken.push({ compact, thumbprint, payload, transition });
  return transition.command;
}

function settle<T>(work: () => T): Settled<T> {
  try {
    return { ok: work() };
  } catch (error) {
    return { error };
  }
}

function isUsable(found: { deviceId: DeviceId; status: string }, deviceId: DeviceId): boolean {
  return found.deviceId === deviceId && found.status !== 'revoked';
}
