import 'reflect-metadata';
import { boot } from '@outrider/platform/service';
import { Config } from './config.js';
import { FleetCaModule } from './fleet-ca.module.js';
import { IssuedCertificates1763801000000 } from './migrations/1763801000000-issued-certificates.migration.js';
import { SignedDeltas1764400200000 } from './migrations/1764400200000-signed-deltas.migration.js';
import { RenewedServices1764800000000 } from './migrations/1764800000000-renewed-services.migration.js';

await boot({
  service: 'fleet-ca',
  config: Config,
  module: FleetCaModule,
  entities: [],
  migrations: [IssuedCertificates1763801000000, SignedDeltas1764400200000, RenewedServices1764800000000],
});
