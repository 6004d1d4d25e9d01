import { Module } from '@nestjs/common';
import { Authorities } from './authorities/authorities.service.js';
import { ListAuthoritiesConsumer } from './authorities/list-authorities.consumer.js';
import { DeniedSubjects } from './denylist/denied-subjects.service.js';
import { GetCertificateConsumer } from './get-certificate/get-certificate.consumer.js';
import { Profiles } from './profiles/profiles.service.js';
import { RenewServiceConsumer } from './renew-service/renew-service.consumer.js';
import { RenewService } from './renew-service/renew-service.service.js';
import { CertificateSigner } from './sign-certificate/certificate-signer.service.js';
import { IssuedCertificates } from './sign-certificate/issued-certificates.repository.js';
import { SignCertificateConsumer } from './sign-certificate/sign-certificate.consumer.js';
import { SignCertificate } from './sign-certificate/sign-certificate.service.js';
import { DraftEntries } from './sign-crl/draft-entries.client.js';
import { SignCrlConsumer } from './sign-crl/sign-crl.consumer.js';
import { SignCrl } from './sign-crl/sign-crl.service.js';
import { SignedCrls } from './sign-crl/signed-crls.repository.js';

@Module({
  providers: [
    Authorities,
    ListAuthoritiesConsumer,
    DeniedSubjects,
    IssuedCertificates,
    Profiles,
    CertificateSigner,
    SignCertificate,
    SignCertificateConsumer,
    GetCertificateConsumer,
    RenewService,
    RenewServiceConsumer,
    SignedCrls,
    DraftEntries,
    SignCrl,
    SignCrlConsumer,
  ],
})
export class FleetCaModule {}
