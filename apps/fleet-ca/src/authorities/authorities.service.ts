import { readFileSync } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, Readiness } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import type { AuthorityName } from '../ceremony/authorities.js';
import { type OpenAuthority, openAuthority, readPassphrase } from '../ceremony/ca-files.store.js';
import type { Config } from '../config.js';

type OnlineAuthority = Extract<AuthorityName, 'vehicle-ca' | 'control-ca'>;

/** The CA keys of this process, opened once at start. Neither the root's nor the infrastructure CA's is among them. */
@Injectable()
export class Authorities {
  readonly infrastructureCa: ParsedCertificate;
  private readonly open: Readonly<Record<OnlineAuthority, OpenAuthority>>;

  constructor(@Inject(CONFIG) config: Config, readiness: Readiness) {
    const { authorities, trust } = config;
    const passphrase = readPassphrase(authorities.passphraseFile);
    this.open = {
      'vehicle-ca': openAuthority(authorities.vehicleCaKeyFile, trust.vehicleCaFile, passphrase),
      'control-ca': openAuthority(authorities.controlCaKeyFile, trust.controlCaFile, passphrase),
    };
    this.infrastructureCa = parseCertificate(readFileSync(trust.infrastructureCaFile, 'utf8'));
    readiness.add('ca-certificates', () => this.expiry(new Date()));
  }

  /** @throws Error for an authority that is kept offline: asking for it is a bug. */
  get(name: AuthorityName): OpenAuthority {
    if (name !== 'vehicle-ca' && name !== 'control-ca') throw new Error(`${name} is kept offline`);
    return this.open[name];
  }

  private expiry(now: Date): { ok: boolean; detail: unknown } {
    const all = Object.values(this.open).map(({ certificate }) => certificate);
    const ok = all.every(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
    return {
      ok,
      detail: Object.fromEntries(all.map(({ subject, notAfter }) => [subject.text, notAfter.toISOString()])),
    };
  }
}
