import type { KeyObject } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { serviceSpiffeId } from '@outrider/ids';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import type { CommonConfig } from './config.js';
import { Metrics } from './metrics.service.js';
import { Readiness } from './readiness.service.js';
import { parseIdentity, parsePair, renewedIdentityFile } from './renewed-identity.store.js';
import { LOGGER, type Logger, RUNTIME, type Runtime } from './runtime.provider.js';
import { Schedule } from './schedule.service.js';

/** How soon a changed file counts: what publishes trust waits many times this long before it relies on it. */
export const TRUST_POLL_MS = 2_000;

/** A certificate with its chain, and the key that belongs to it. */
export interface KeyPair {
  /** PEM, as in the files. */
  readonly certificate: string;
  readonly key: string;
  readonly privateKey: KeyObject;
  /** Leaf first. */
  readonly chain: readonly ParsedCertificate[];
}

interface Watched {
  readonly files: readonly string[];
  /** Throws for contents that cannot be used. */
  readonly parse: (contents: readonly string[]) => unknown;
  readonly readFile: (file: string) => string;
  contents: readonly string[];
  value: unknown;
  complaint: string | undefined;
}

/**
 * Certificates and keys in files, as they are now. Each is read when it is first asked for, and throws then if it cannot be used; later
 * it is looked at every two seconds, and contents that cannot be used leave the old in force and the service not quite ready. All changes
 * of one look come into force together, before `changed` is told.
 */
@Injectable()
export class TrustFiles {
  readonly events = new EventEmitter<{ changed: [] }>();
  private readonly watched = new Map<string, Watched>();
  private readonly trust: CommonConfig['trust'];
  private readonly identity: CommonConfig['identity'];
  /** The SPIFFE id that a renewed certificate has to name. */
  private readonly ownId: string;
  private readonly reloads;

  constructor(
    @Inject(RUNTIME) runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    schedule: Schedule,
    metrics: Metrics,
  ) {
    const { config, service } = runtime;
    this.trust = config.trust;
    this.identity = config.identity;
    this.ownId = serviceSpiffeId(config.trustDomain, service);
    this.events.setMaxListeners(50);
    this.reloads = metrics.counter('outrider_trust_reloads_total', 'Trust files and certificates taken anew.');
    readiness.add('trust-files', () => {
      const complaints = [...this.watched.values()].flatMap(({ complaint }) => complaint ?? []);
      return complaints.length === 0 ? { ok: true } : { ok: false, detail: complaints };
    });
    schedule.every(TRUST_POLL_MS, 'trust files could not be looked at', async () => this.look());
  }

  /** Every root that is trusted now, the active one first; the next three likewise. Ask each time: a kept answer grows old. */
  get fleetRoot(): readonly ParsedCertificate[] {
    return this.certificates(this.trust.fleetRootFile);
  }

  get vehicleCa(): readonly ParsedCertificate[] {
    return this.certificates(this.trust.vehicleCaFile);
  }

  get infrastructureCa(): readonly ParsedCertificate[] {
    return this.certificates(this.trust.infrastructureCaFile);
  }

  get controlCa(): readonly ParsedCertificate[] {
    return this.certificates(this.trust.controlCaFile);
  }

  /** During and after a root rollover: the old root's certificate by the new one's key, the new root's by the old one's. */
  get rootCrossCertificates(): readonly ParsedCertificate[] {
    const beside = this.trust.fleetRootFile.replace(/\.[^./]+$/, '');
    return ['new-with-old', 'old-with-new'].flatMap((cross) => this.certificatesIfAny(`${beside}.${cross}.crt`));
  }

  /** The same as `certificates` for a file that need not be there. */
  certificatesIfAny(file: string): readonly ParsedCertificate[] {
    return this.take([file], ([pem]) => (pem ? certificatesOf(file, pem) : []), readIfThere);
  }

  /** The certificates of a PEM file; throws for one that holds none. */
  certificates(file: string): readonly ParsedCertificate[] {
    return this.take([file], ([pem = '']) => certificatesOf(file, pem));
  }

  /** What is made of a secret, without its last newline. `parse` throws for one that cannot be used; for one file it is always the same. */
  secret<T>(file: string, parse: (text: string) => T): T {
    return this.take([file], ([text = '']) => parse(text.replace(/\r?\n$/, '')));
  }

  /**
   * A certificate and its key; between the writing of the two they do not fit, and the old pair stays. Where this service's own was renewed
   * since it was put there, the renewed one.
   */
  keyPair(certificateFile: string, keyFile: string): KeyPair {
    const given = this.givenPair(certificateFile, keyFile);
    const { identity } = this;
    if (certificateFile !== identity.certificateFile || keyFile !== identity.keyFile) return given;
    const renewed = this.ownRenewed();
    return renewed && isSuccessor(renewed, given) ? renewed : given;
  }

  /** What this service had renewed by itself, where that is in force. */
  get renewed(): KeyPair | undefined {
    const { certificateFile, keyFile } = this.identity;
    const renewed = this.ownRenewed();
    return renewed && this.keyPair(certificateFile, keyFile) === renewed ? renewed : undefined;
  }

  /** Broken, or of another service, it is as if it were not there: there is always the pair that was given. */
  private ownRenewed(): KeyPair | undefined {
    const { renewal, stateDirectory } = this.identity;
    if (renewal !== 'self' || stateDirectory === undefined) return undefined;
    const file = renewedIdentityFile(stateDirectory);
    const parse = ([pem]: readonly string[]) => {
      if (!pem) return undefined;
      try {
        const { fits, ...pair } = parseIdentity(pem);
        if (fits && pair.chain[0]?.sanUris.join() === this.ownId) return pair;
        throw new Error('it is not the key of its certificate, or the certificate not of this service');
      } catch (error) {
        this.logger.error({ err: error, file }, 'the renewed certificate cannot be used');
        return undefined;
      }
    };
    return this.take([file], parse, readIfThere);
  }

  private givenPair(certificateFile: string, keyFile: string): KeyPair {
    return this.take([certificateFile, keyFile], ([certificate = '', key = '']) => {
      certificatesOf(certificateFile, certificate);
      const { fits, ...pair } = parsePair(certificate, key);
      if (!fits) throw new Error(`${keyFile} is not the key of ${certificateFile}`);
      return pair;
    });
  }

  /** Looks at every file now. */
  look(): void {
    let changed = false;
    for (const watched of this.watched.values()) changed = this.reload(watched) || changed;
    if (!changed) return;
    this.reloads.inc();
    this.events.emit('changed');
  }

  private take<T>(files: readonly string[], parse: (contents: readonly string[]) => T, readFile = read): T {
    const name = files.join('\n');
    let watched = this.watched.get(name);
    if (!watched) {
      const contents = files.map(readFile);
      watched = { files, parse, readFile, contents, value: parse(contents), complaint: undefined };
      this.watched.set(name, watched);
    }
    return watched.value as T;
  }

  private reload(watched: Watched): boolean {
    try {
      const contents = watched.files.map(watched.readFile);
      if (contents.every((content, i) => content === watched.contents[i])) {
        watched.complaint = undefined;
        return false;
      }
      watched.value = watched.parse(contents);
      watched.contents = contents;
      watched.complaint = undefined;
      this.logger.info({ files: watched.files }, 'taken anew');
      return true;
    } catch (error) {
      const complaint = `${watched.files[0]}: ${(error as Error).message}`;
      if (complaint !== watched.complaint) this.logger.error({ err: error, files: watched.files }, 'the old stays');
      watched.complaint = complaint;
      return false;
    }
  }
}

/** Whoever puts a newer one there means it; one that is over helps nobody. */
function isSuccessor({ chain: [renewed] }: KeyPair, { chain: [given] }: KeyPair): boolean {
  if (!renewed || !given) return renewed !== undefined;
  if (renewed.notAfter.getTime() <= Date.now()) return given.notAfter < renewed.notAfter;
  return given.notAfter.getTime() <= Date.now() || renewed.notBefore >= given.notBefore;
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function readIfThere(file: string): string {
  return existsSync(file) ? read(file) : '';
}

function certificatesOf(file: string, pem: string): ParsedCertificate[] {
  const certificates = parseCertificates(pem);
  if (certificates.length === 0) throw new Error(`${file} holds no certificate`);
  return certificates;
}
