import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { parseCertificates } from '@outrider/x509';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';

/** This service's key of the infrastructure CA. fleet-ca believes a request signed by it, and nothing else (DESIGN §9). */
@Injectable()
export class ServiceIdentity {
  private readonly key: KeyObject;
  private readonly x5c: readonly string[];

  constructor(@Inject(RUNTIME) { config }: Runtime) {
    const { certificateFile, keyFile } = config.identity;
    this.key = createPrivateKey(readFileSync(keyFile));
    this.x5c = parseCertificates(readFileSync(certificateFile, 'utf8')).map(({ der }) =>
      Buffer.from(der).toString('base64'),
    );
  }

  /** A compact JWS, `typ: outrider-request+jws`; `payload.aud` names the contract it is for. */
  signRequest(payload: { readonly aud: string }): string {
    return signJws({
      header: { typ: JWS_TYP.request, x5c: this.x5c },
      payload: JSON.stringify(payload),
      key: this.key,
    });
  }
}
