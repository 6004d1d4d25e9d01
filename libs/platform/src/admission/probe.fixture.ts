/** One route for each way of admitting someone. */
import { Controller, Get, Injectable, Module, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { On } from '../http/on.provider.js';
import { Admitted, type OperatorAdmission, requireStillAdmitted, type VehicleAdmission } from './admitted.provider.js';
import { AdmitAnyone, AdmitCertificate, AdmitToken, RequireOperator } from './decorators.provider.js';

@Injectable()
@Controller()
class ProbeController {
  @Get('/anyone')
  @On('vehicle')
  @AdmitAnyone()
  anyone(): string {
    return 'anyone';
  }

  @Get('/certificate')
  @On('vehicle')
  @AdmitCertificate()
  certificate(): string {
    return 'certificate';
  }

  @Get('/token')
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  token(@Admitted() { deviceId }: VehicleAdmission): { deviceId: string } {
    return { deviceId };
  }

  @Get('/devices/:device')
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'], recovery: true })
  device(@Admitted() { deviceId, recovery }: VehicleAdmission) {
    return { deviceId, recovery };
  }

  /** Hands something out every few milliseconds until the vehicle may have no more. */
  @Get('/waits')
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'], control: true })
  async waits(@Req() request: FastifyRequest): Promise<never> {
    for (;;) {
      requireStillAdmitted(request);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  @Get('/fleet')
  @On('operator')
  @RequireOperator('device:read')
  fleet(@Admitted() { subject }: OperatorAdmission): { subject: string } {
    return { subject };
  }

  @Get('/out-of-service')
  @On('operator')
  @RequireOperator('device:read', {}, { unlimited: true })
  outOfService(): string {
    return 'done';
  }
}
@Module({ controllers: [ProbeController] })
export class ProbeModule {}
