import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CertificateDescription,
  issueCertificate,
  type ParsedCertificate,
  parseCertificate,
} from '@outrider/x509';
import {
  type AuthoritiesManifest,
  activeOf,
  type Generation,
  type ManifestAuthority,
} from '../authorities/manifest.js';
import type { CaKey } from '../keys/ca-key.js';
import { againDescription, nextDescription } from './authority-certificate.js';
import { CaFolder, certificatePem, newSerialNumber, writeOnce } from './ca-files.store.js';
import { makeKey, openKey } from './ceremony-keys.store.js';
import type { CeremonyOptions } from './create-authorities.command.js';
import { activate, find, nextGeneration, publish, retire } from './generations.js';
import { ManifestFile } from './manifest.store.js';
import { removeNewWithOld, removeOldWithNew, writeCross, writeServerTrust } from './root-trust.store.js';

export interface RolloverOptions extends CeremonyOptions {
  readonly authority: string;
}

export interface ActivateOptions extends RolloverOptions {
  readonly generation: number;
  readonly minWaitSeconds: number;
}

export interface RetireOptions extends RolloverOptions {
  readonly generation: number;
  readonly relianceSeconds: number | undefined;
  readonly force: boolean;
  /** The key of this generation is no longer believed: what vouches by it goes too (`retire` of a root alone). */
  readonly distrust: boolean;
}

/** What a step has done; empty lists and the same states where it had been done before. */
export interface Outcome {
  readonly authority: string;
  readonly generations: Readonly<Record<string, string>>;
  readonly made: readonly string[];
}

/** A new key and certificate, trusted from now on; nothing is signed by it but, for a root, the cross certificates. */
export async function rollOver(options: RolloverOptions): Promise<Outcome> {
  const { out, authority: name, now } = options;
  const ceremony = new Ceremony(options);
  const entry = ceremony.entry(name);
  const generation = nextGeneration(entry);
  const before = activeOf(entry);
  const certificate = `trust/${name}.${generation}.crt`;
  const key = makeKey(options, name, generation, before.key);
  if (!existsSync(join(out, certificate))) {
    const subject = openKey(options, key);
    const issuer = entry.issuer === 'self' ? 'self' : ceremony.signer(entry.issuer);
    const above = issuer === 'self' ? 'self' : issuer.certificate;
    const description = nextDescription(
      entry.profile,
      ceremony.manifest.certificate(before),
      generation,
      above,
      subject.spkiDer,
      newSerialNumber(),
      now,
    );
    await ceremony.issue(certificate, description, above, issuer === 'self' ? subject : issuer.key);
  }
  ceremony.write({ [name]: publish(entry, { generation, key, certificate }, now) });
  if (entry.issuer === 'self') await ceremony.cross(name, before.generation, generation);
  return ceremony.outcome(name);
}

/** Signs with the published generation from now on. Under a new root every authority gets its certificate anew, with the key and name that it has. */
export async function activateGeneration(options: ActivateOptions): Promise<Outcome> {
  const { authority: name, generation, minWaitSeconds, now } = options;
  const ceremony = new Ceremony(options);
  const entry = ceremony.entry(name);
  const activated = activate(name, entry, generation, minWaitSeconds, now);
  const below = entry.issuer === 'self' ? await ceremony.signAnew(name, find(name, entry, generation)) : {};
  // The manifest is replaced whole: no reader sees the new root with the old certificates under it.
  ceremony.write({ ...below, [name]: activated });
  return ceremony.outcome(name);
}

/** Nobody trusts this generation from now on. */
export async function retireGeneration(options: RetireOptions): Promise<Outcome> {
  const { authority: name, generation, now, out, distrust } = options;
  const ceremony = new Ceremony(options);
  const entry = ceremony.entry(name);
  if (distrust && entry.issuer !== 'self')
    throw new Error('--distrust is for a root: revoke what an issuing CA has signed');
  const retired = retire(name, entry, generation, options, now);
  ceremony.write({ [name]: retired });
  if (entry.issuer === 'self') {
    removeOldWithNew(out, name);
    if (distrust) removeNewWithOld(out, name);
  }
  return ceremony.outcome(name);
}

/** The folder of one ceremony, and what it makes there. */
class Ceremony {
  readonly manifest: ManifestFile;
  private readonly folder: CaFolder;
  private readonly made: string[] = [];

  constructor(private readonly options: RolloverOptions) {
    this.manifest = new ManifestFile(options.out);
    this.folder = new CaFolder(options.out);
  }

  entry(name: string): ManifestAuthority {
    const entry = this.manifest.read()[name];
    if (entry === undefined) throw new Error(`${this.manifest.path} has no authority ${name}`);
    return entry;
  }

  /** The active generation of an authority, its key opened. */
  signer(
    name: string,
    generation: Generation = activeOf(this.entry(name)),
  ): { certificate: ParsedCertificate; key: CaKey } {
    return { certificate: this.manifest.certificate(generation), key: openKey(this.options, generation.key) };
  }

  async issue(
    file: string,
    description: CertificateDescription,
    issuer: ParsedCertificate | 'self',
    key: CaKey,
  ): Promise<ParsedCertificate> {
    const certificate = await issueCertificate(description, issuer, (tbs) => key.sign(tbs));
    this.folder.log(certificate, description.profile);
    writeOnce(join(this.options.out, file), certificatePem(certificate), 0o644);
    this.made.push(file);
    return certificate;
  }

  /** Each root's certificate by the other's key (RFC 4210 §4.4): who trusts one comes to the other. */
  async cross(name: string, oldGeneration: number, newGeneration: number): Promise<void> {
    const [old, young] = [oldGeneration, newGeneration].map((n) => this.signer(name, find(name, this.entry(name), n)));
    if (!old || !young) return;
    const pairs = [
      {
        kind: 'old-with-new',
        subject: old,
        issuer: young,
        file: `trust/${name}.${oldGeneration}-with-${newGeneration}.crt`,
      },
      {
        kind: 'new-with-old',
        subject: young,
        issuer: old,
        file: `trust/${name}.${newGeneration}-with-${oldGeneration}.crt`,
      },
    ] as const;
    for (const { kind, subject, issuer, file } of pairs) {
      const path = join(this.options.out, file);
      const certificate = existsSync(path)
        ? parseCertificate(readFileSync(path, 'utf8'))
        : await this.issue(
            file,
            againDescription(
              'root-cross',
              subject.certificate,
              issuer.certificate,
              newSerialNumber(),
              this.options.now,
            ),
            issuer.certificate,
            issuer.key,
          );
      writeCross(this.options.out, name, kind, certificate);
    }
  }

  /** Every authority under `name`, each trusted generation, certified by the given generation of it. */
  async signAnew(name: string, root: Generation): Promise<AuthoritiesManifest> {
    const issuer = this.signer(name, root);
    const anew: AuthoritiesManifest = {};
    for (const [below, entry] of Object.entries(this.manifest.read())) {
      if (entry.issuer !== name) continue;
      const generations: Generation[] = [];
      for (const each of entry.generations) {
        const file = `trust/${below}.${each.generation}.under-${root.generation}.crt`;
        const there = existsSync(join(this.options.out, file));
        const current = each.state === 'retired' ? undefined : this.manifest.certificate(each);
        if (current && current.authorityKeyId !== issuer.certificate.subjectKeyId && !there) {
          const description = againDescription(
            entry.profile,
            current,
            issuer.certificate,
            newSerialNumber(),
            this.options.now,
          );
          await this.issue(file, description, issuer.certificate, issuer.key);
        }
        const isUnder = current?.authorityKeyId === issuer.certificate.subjectKeyId;
        generations.push(current && !isUnder ? { ...each, certificate: file } : each);
      }
      anew[below] = { ...entry, generations };
    }
    return anew;
  }

  /** All at once, then the bundles that follow. */
  write(changes: AuthoritiesManifest): void {
    this.manifest.write({ ...this.manifest.read(), ...changes });
    for (const [name, entry] of Object.entries(changes)) {
      this.manifest.writeBundle(name, entry);
      if (entry.issuer === 'self') writeServerTrust(this.options.out, name);
    }
  }

  outcome(name: string): Outcome {
    const generations = this.entry(name).generations.map(({ generation, state }) => [generation, state]);
    return { authority: name, generations: Object.fromEntries(generations), made: this.made };
  }
}
