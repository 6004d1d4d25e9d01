import { Inject, Injectable } from '@nestjs/common';
import { JWS_TYP, type JwsTyp, signJws } from '@outrider/crypto';
import type { ParsedCertificate } from '@outrider/x509';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { type KeyPair, TrustFiles } from '../service/trust-files.service.js';

/** This service's key of the infrastructure CA. fleet-ca believes a request signed by it, and nothing else. */
@Injectable()
export class ServiceIdentity {
  constructor(
    @Inject(RUNTIME) private readonly runtime: Runtime,
    private readonly trustFiles: TrustFiles,
  ) {
    this.pair();
  }

  /** A compact JWS, `typ: outrider-request+jws`; `payload.aud` names the contract it is for. */
  signRequest(payload: { readonly aud: string }): string {
    return this.sign(JWS_TYP.request, payload);
  }

  /** A compact JWS of another context; `verifyServiceJws` (libs/admission) is how others judge it. */
  sign(typ: JwsTyp, payload: object): string {
    const { privateKey, chain } = this.pair();
    // Whoever verifies looks at the leaf alone: the infrastructure CA signs it directly.
    const x5c = chain.slice(0, 2).map(({ der }) => Buffer.from(der).toString('base64'));
    return signJws({ header: { typ, x5c }, payload: JSON.stringify(payload), key: privateKey });
  }

  /** The certificate that it signs by now. */
  get certificate(): ParsedCertificate {
    return this.pair().chain[0] as ParsedCertificate;
  }

  private pair(): KeyPair {
    const { certificateFile, keyFile } = this.runtime.config.identity;
    return this.trustFiles.keyPair(certificateFile, keyFile);
  }
}
