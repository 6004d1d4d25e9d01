import { Injectable } from '@nestjs/common';
import { vehicleCertificateGet } from '@outrider/contracts';
import { type VerificationKey, verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId, Thumbprint } from '@outrider/ids';
import type { VehicleAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { parseCertificate } from '@outrider/x509';
import { type Command, resolve } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import { signerOf, stateOf, verifyOutcome } from './outcome.js';
import { Outcomes } from './outcomes.repository.js';

@Injectable()
export class OutcomeService {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly outcomes: Outcomes,
    private readonly nats: Nats,
  ) {}

  /** Takes the vehicle's outcome; the identical one again gets the same answer. Throws `command.not_found`, `command.outcome_invalid`, `command.state_conflict`. */
  async take(id: CommandId, compact: string, vehicle: VehicleAdmission): Promise<Command> {
    const thumbprint = signerOf(compact);
    const key = await this.keyOf(thumbprint, vehicle);
    return this.database.transaction(async (tx) => {
      const command = await this.commands.lock(tx, id, vehicle.deviceId);
      if (!command) throw new DomainError('command.not_found');
      const payload = verifyOutcome(compact, key, command);
      const standing = await this.outcomes.standing(tx, id);
      if (standing === compact) return command;
      if (standing !== undefined) throw new DomainError('command.state_conflict', { detail: 'another outcome stands' });
      const now = new Date();
      const resolved = resolve(command, stateOf(payload.result), payload.detail, now);
      await this.outcomes.insert(tx, compact, thumbprint, payload, now);
      await this.commands.save(tx, resolved);
      return resolved.command;
    });
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

function isUsable(found: { deviceId: DeviceId; status: string }, deviceId: DeviceId): boolean {
  return found.deviceId === deviceId && found.status !== 'revoked';
}
