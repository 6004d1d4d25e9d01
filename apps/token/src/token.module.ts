import { Module } from '@nestjs/common';
import { PolicyModule } from '@outrider/platform/policy';
import type { ServiceDefinition } from '@outrider/platform/service';
import { CertificateSeenService } from './certificate-seen/certificate-seen.service.js';
import { TokenConfig } from './config.js';
import { DeniedTokens } from './denied-tokens/denied-tokens.service.js';
import { OwedDenials } from './denied-tokens/owed-denials.repository.js';
import { DeviceConsumer } from './device/device.consumer.js';
import { DeviceRepository } from './device/device.repository.js';
import { DeviceService } from './device/device.service.js';
import { ElevationService } from './elevation/elevation.service.js';
import { ElevationsController } from './elevation/elevations.controller.js';
import { Elevations } from './elevation/elevations.repository.js';
import { MetadataController } from './metadata/metadata.controller.js';
import { TokenTables1763900000000 } from './migrations/1763900000000-token-tables.migration.js';
import { KeyRotation1764000000000 } from './migrations/1764000000000-key-rotation.migration.js';
import { PolicyBasis1764510000000 } from './migrations/1764510000000-policy-basis.migration.js';
import { Elevations1764520000000 } from './migrations/1764520000000-elevations.migration.js';
import { People1764600000000 } from './migrations/1764600000000-people.migration.js';
import { RefreshTokens1764610000000 } from './migrations/1764610000000-refresh-tokens.migration.js';
import { OwedDenials1764700000000 } from './migrations/1764700000000-owed-denials.migration.js';
import { OperatorAccountsController } from './operator-account/operator-accounts.controller.js';
import { OperatorAccounts } from './operator-account/operator-accounts.repository.js';
import { OperatorAccountService } from './operator-account/operator-accounts.service.js';
import { OperatorAccountRepository } from './operator-client/operator-account.repository.js';
import { OperatorClients } from './operator-client/operator-clients.service.js';
import { OperatorIdentities } from './operator-client/operator-identities.service.js';
import { OperatorTokenController } from './operator-token/operator-token.controller.js';
import { OperatorTokenRepository } from './operator-token/operator-token.repository.js';
import { OperatorTokenService } from './operator-token/operator-token.service.js';
import { OperatorTokenIssuer } from './operator-token/operator-token-issuer.service.js';
import { RefreshTokenRepository } from './refresh/refresh-tokens.repository.js';
import { RefreshTokens } from './refresh/refresh-tokens.service.js';
import { SIGN_IN_CONTROLLERS, SIGN_IN_PROVIDERS } from './sign-in/sign-in.provider.js';
import { JwksController } from './signing-key/jwks.controller.js';
import { SigningKeyRepository } from './signing-key/signing-key.repository.js';
import { SigningKeyService } from './signing-key/signing-key.service.js';
import { TokenStatusController } from './token-status/token-status.controller.js';
import { TokenStatus } from './token-status/token-status.service.js';
import { ControlTokenRepository } from './vehicle-token/control-token.repository.js';
import { TokenProofs } from './vehicle-token/token-proofs.service.js';
import { VehicleTokenController } from './vehicle-token/vehicle-token.controller.js';
import { VehicleTokenService } from './vehicle-token/vehicle-token.service.js';

@Module({
  imports: [PolicyModule],
  controllers: [
    VehicleTokenController,
    OperatorTokenController,
    ElevationsController,
    OperatorAccountsController,
    TokenStatusController,
    JwksController,
    MetadataController,
    ...SIGN_IN_CONTROLLERS,
  ],
  providers: [
    SigningKeyRepository,
    SigningKeyService,
    DeviceRepository,
    DeviceService,
    DeviceConsumer,
    CertificateSeenService,
    ControlTokenRepository,
    TokenProofs,
    OwedDenials,
    DeniedTokens,
    RefreshTokenRepository,
    RefreshTokens,
    VehicleTokenService,
    OperatorAccountRepository,
    OperatorClients,
    OperatorIdentities,
    OperatorTokenRepository,
    OperatorTokenIssuer,
    OperatorTokenService,
    Elevations,
    ElevationService,
    OperatorAccounts,
    OperatorAccountService,
    TokenStatus,
    ...SIGN_IN_PROVIDERS,
  ],
})
export class TokenModule {}

/** What `boot` and the tests start. */
export const definition: ServiceDefinition<TokenConfig> = {
  service: 'token',
  config: TokenConfig,
  module: TokenModule,
  entities: [],
  migrations: [
    TokenTables1763900000000,
    KeyRotation1764000000000,
    PolicyBasis1764510000000,
    Elevations1764520000000,
    People1764600000000,
    RefreshTokens1764610000000,
    OwedDenials1764700000000,
  ],
};
