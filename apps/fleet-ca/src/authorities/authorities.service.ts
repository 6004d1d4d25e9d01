import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CONFIG, LOGGER, type Logger, Metrics, Readiness, Schedule } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import { readPassphrase } from '../ceremony/ca-files.store.js';
import type { Config } from '../config.js';
import type { CaKey } from '../keys/ca-key.js';
import { openFileKey } from '../keys/file-key.store.js';
import { Pkcs11Token } from '../keys/pkcs11-token.provider.js';
import { byKeyId, type KeyReference } from './manifest.js';
import {
  type ManifestFiles,
  type OpenedAuthorities,
  type OpenGeneration,
  openAuthorities,
  readManifestFiles,
} from './opened-authorities.store.js';

const LOOK_EVERY_MS = 2000;

/**
 * The CA keys of this process, as the manifest names them; looked at every two seconds and swapped whole. A manifest that cannot be
 * used is said aloud and the one before stays. The root's key is never opened here, and the infrastructure CA's only where services have their
 * certificates renewed.
 */
@Injectable()
export class Authorities {
  private opened: OpenedAuthorities;
  private broken: string | undefined;
  private readonly keys = new Map<string, CaKey>();
  private readonly token: Pkcs11Token | undefined;
  private readonly refusals;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    schedule: Schedule,
    metrics: Metrics,
  ) {
    readPassphrase(config.authorities.passphraseFile);
    this.refusals = metrics.counter(
      'outrider_ca_manifest_refused_total',
      'Manifests of authorities that could not be used.',
    );
    const { pkcs11 } = config.authorities;
    this.token = pkcs11 && new Pkcs11Token(pkcs11);
    this.opened = this.open(readManifestFiles(config.authorities.manifestFile, new Date()));
    readiness.add('ca-certificates', () => this.expiry(new Date()));
    readiness.add('ca-manifest', () => ({ ok: this.broken === undefined, detail: this.broken ?? this.generations() }));
    if (pkcs11) readiness.add('ca-token', () => this.checkToken());
    schedule.every(LOOK_EVERY_MS, 'looking at the manifest of authorities failed', async () => this.look());
  }

  /**
   * The generation that signs certificates for an authority.
   * @throws DomainError `ca.authority_unknown` where there is none, or it is kept offline.
   */
  signing(name: string): OpenGeneration {
    const active = this.opened.active.get(name);
    if (active === undefined)
      throw new DomainError('ca.authority_unknown', { detail: `no authority ${name} signs here` });
    return active;
  }

  /**
   * The generation that renews certificates of services.
   * @throws DomainError `ca.authority_unknown` where that is not done here.
   */
  infrastructure(): OpenGeneration {
    const { infrastructure } = this.opened;
    if (infrastructure === undefined)
      throw new DomainError('ca.authority_unknown', { detail: 'certificates of services are not renewed here' });
    return infrastructure;
  }

  /**
   * The generation with that subject key identifier (hex), whatever its state as long as it has lists: for those.
   * @throws DomainError `ca.authority_unknown`
   */
  byKeyId(issuerKeyId: string): OpenGeneration {
    const found = byKeyId(this.opened.signing, issuerKeyId);
    if (found === undefined)
      throw new DomainError('ca.authority_unknown', { detail: 'no authority signs under that key' });
    return found;
  }

  /** Every generation of vehicle issuing CAs that signs CRLs. */
  issuers(): readonly OpenGeneration[] {
    return this.opened.signing.filter(({ profile }) => profile === 'vehicle-ca');
  }

  /** Every trusted generation, the active one first; none for a name that is not in the manifest. */
  trusted(name: string): readonly ParsedCertificate[] {
    return this.opened.trusted.get(name) ?? [];
  }

  /** Whether it is the key of any trusted authority of the fleet: nobody else may be certified for it. */
  isAuthorityKey(keyThumbprint: string): boolean {
    return this.opened.authorityKeys.has(keyThumbprint);
  }

  /** Reads the manifest now. Swaps it in whole, or leaves all as it was. */
  look(): void {
    try {
      const files = readManifestFiles(this.config.authorities.manifestFile, new Date());
      if (files.fingerprint !== this.opened.fingerprint) {
        this.opened = this.open(files);
        this.logger.info(
          { authorities: this.generations() },
          'the manifest of authorities has changed and is in force',
        );
      }
      this.broken = undefined;
    } catch (error) {
      const reason = (error as Error).message;
      if (this.broken !== reason) {
        this.refusals.inc();
        this.logger.error({ err: error }, 'the manifest of authorities cannot be used; the one before stays in force');
      }
      this.broken = reason;
    }
  }

  private open(files: ManifestFiles): OpenedAuthorities {
    return openAuthorities(files, this.config.serviceRenewal !== undefined, (reference, certificate) =>
      this.key(reference, certificate),
    );
  }

  /** Opened once: deriving the key of a file from its passphrase is slow on purpose. */
  private key(reference: KeyReference, certificate: ParsedCertificate): CaKey {
    if (reference.kind === 'pkcs11') return this.tokenKey(reference.label, certificate);
    const file = join(dirname(this.config.authorities.manifestFile), reference.file);
    const key = this.keys.get(file) ?? openFileKey(file, readPassphrase(this.config.authorities.passphraseFile));
    this.keys.set(file, key);
    return key;
  }

  private tokenKey(label: string, { spkiDer }: ParsedCertificate): CaKey {
    if (this.token === undefined) {
      throw new DomainError('ca.key_unavailable', { detail: `${label} is in a token, and no pkcs11 is configured` });
    }
    return this.token.key(label, spkiDer);
  }

  /** Whether the token is there and holds every key that signs. */
  private checkToken(): { ok: boolean; detail?: unknown } {
    try {
      for (const { key } of this.opened.signing) key.check?.();
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: (error as Error).message };
    }
  }

  private generations(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.opened.active].map(([name, { generation }]) => [name, generation]));
  }

  private expiry(now: Date): { ok: boolean; detail: unknown } {
    const all = this.opened.signing.map(({ certificate }) => certificate);
    const ok = all.every(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
    return {
      ok,
      detail: Object.fromEntries(all.map(({ subject, notAfter }) => [subject.text, notAfter.toISOString()])),
    };
  }
}
