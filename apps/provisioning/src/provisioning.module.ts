import { Module } from '@nestjs/common';
import { CertificateRow } from './certificate/certificate.entity.js';
import { CertificateAnswers } from './certificate/certificate-answers.consumer.js';
import { Certificates } from './certificate/certificates.repository.js';
import { DeviceRow } from './device/device.entity.js';
import { DevicesController } from './device/devices.controller.js';
import { Devices } from './device/devices.repository.js';
import { OutOfServiceConsumer } from './device/out-of-service.consumer.js';
import { Registry } from './device/registry.service.js';
import { RetiredDevices } from './device/retired-devices.service.js';
import { Denied } from './est/denied.service.js';
import { Enrolment } from './est/enrolment.service.js';
import { EstController } from './est/est.controller.js';
import { EstAnswers } from './est/est-answers.service.js';
import { EstClients } from './est/est-client.service.js';
import { EstDecisions } from './est/est-decisions.service.js';
import { EstErrors } from './est/est-errors.service.js';
import { FleetCa } from './est/fleet-ca.client.js';
import { FleetTrust } from './est/fleet-trust.store.js';
import { ServerKeys } from './est/server-key.service.js';
import { SigningRequestRow } from './est/signing-request.entity.js';
import { SigningRequests } from './est/signing-requests.repository.js';
import { ManufacturerRow } from './manufacturer/manufacturer.entity.js';
import { ManufacturersController } from './manufacturer/manufacturers.controller.js';
import { Manufacturers } from './manufacturer/manufacturers.service.js';
import { Registry1763802000000 } from './migrations/1763802000000-registry.migration.js';
import { CertificateSeenConsumer } from './overlap/certificate-seen.consumer.js';
import { Overlap } from './overlap/overlap.service.js';
import { OverlapEnd } from './overlap/overlap-end.service.js';

export const ENTITIES = [CertificateRow, DeviceRow, ManufacturerRow, SigningRequestRow];
export const MIGRATIONS = [Registry1763802000000];

@Module({
  controllers: [EstController, DevicesController, ManufacturersController],
  providers: [
    Certificates,
    CertificateAnswers,
    Devices,
    OutOfServiceConsumer,
    Registry,
    RetiredDevices,
    Denied,
    Enrolment,
    EstAnswers,
    EstClients,
    EstDecisions,
    EstErrors,
    FleetCa,
    FleetTrust,
    ServerKeys,
    SigningRequests,
    Manufacturers,
    CertificateSeenConsumer,
    Overlap,
    OverlapEnd,
  ],
})
export class ProvisioningModule {}
