import { Inject, Injectable } from '@nestjs/common';
import { CrlSignRequest } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import { createCrl, parseCrl, verifyCrl } from '@outrider/x509';
import { Authorities } from '../authorities/authorities.service.js';
import { crlPrefix } from '../authorities/crl-prefix.js';
import type { Config } from '../config.js';
import { DeniedSubjects } from '../denylist/denied-subjects.service.js';
import { verifyRequest } from '../requester/verify-request.js';
import { decideCrl } from './decide-crl.js';
import { SignedCrls } from './signed-crls.repository.js';

@Injectable()
export class SignCrl {
  private readonly signed;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly authorities: Authorities,
    private readonly crls: SignedCrls,
    private readonly denied: DeniedSubjects,
    private readonly database: Database,
    metrics: Metrics,
  ) {
    this.signed = metrics.counter('outrider_ca_crls_signed_total', 'Certificate revocation lists signed.');
  }

  async sign(compactJws: string, now: Date): Promise<Uint8Array> {
    const { trustDomain, requestMaxAgeSeconds: maxAgeSeconds, crl } = this.config;
    const infrastructureCas = this.authorities.trusted('infrastructure-ca');
    const trust = { infrastructureCas, trustDomain, maxAgeSeconds, now };
    const { requester, certificate: asking, payload } = verifyRequest(compactJws, CrlSignRequest, trust);
    this.denied.checkRequester(asking, now);
    const issuer = this.authorities.byKeyId(payload.issuerKeyId);
    const { certificate, key } = issuer;
    const place = { ...crl, prefix: crlPrefix(issuer) };
    const { iat: _, ...asked } = payload;
    const requestSha256 = sha256Hex(JSON.stringify(asked));
    const der = await this.database.transaction(async (tx) => {
      const last = await this.crls.lockLast(tx, payload.issuerKeyId, payload.distributionPoint);
      const description = decideCrl(requester, payload, requestSha256, last, certificate, place, now);
      const signed = await createCrl(description, (tbs) => key.sign(tbs));
      // Read back what goes out: a list that a verifier cannot use is worse than an error here.
      verifyCrl(parseCrl(signed), certificate, description.thisUpdate);
      if (last?.number !== payload.number) await this.crls.add(tx, payload, requestSha256, now);
      return signed;
    });
    this.signed.inc();
    return der;
  }
}
