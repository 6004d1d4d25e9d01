import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { z } from 'zod';
import { AuthoritiesManifest, type Generation, type ManifestAuthority, trustedOf } from '../authorities/manifest.js';
import { certificatePem, replaceFile } from './ca-files.store.js';

/** `authorities.json` in the CA folder, and the trust bundles that follow from it: one for each authority, and `vehicle-cas` for all that certify vehicles. */
export class ManifestFile {
  readonly path: string;

  constructor(private readonly folder: string) {
    this.path = join(folder, 'authorities.json');
  }

  /** @returns an empty manifest where there is none yet. @throws Error naming the file and what is wrong with it. */
  read(): AuthoritiesManifest {
    return existsSync(this.path) ? readManifest(this.path) : {};
  }

  write(manifest: AuthoritiesManifest): void {
    replaceFile(this.path, `${JSON.stringify(AuthoritiesManifest.parse(manifest), null, 2)}\n`, 0o644);
    const issuing = Object.values(manifest).filter(({ profile }) => profile === 'vehicle-ca');
    this.writeCertificates(
      'vehicle-cas',
      issuing.flatMap((authority) => trustedOf(authority)),
    );
  }

  /** Adds or replaces one authority, and writes its bundle. */
  put(name: string, authority: ManifestAuthority): void {
    this.write({ ...this.read(), [name]: authority });
    this.writeBundle(name, authority);
  }

  certificate({ certificate }: Generation): ParsedCertificate {
    return parseCertificate(readFileSync(join(this.folder, certificate), 'utf8'));
  }

  /** `trust/<authority>.crt`: every trusted generation, the active one first. */
  writeBundle(name: string, authority: ManifestAuthority): void {
    this.writeCertificates(name, trustedOf(authority));
  }

  /** Left alone where it says so already; never without a certificate. */
  private writeCertificates(name: string, generations: readonly Generation[]): void {
    if (generations.length === 0) return;
    const file = join(this.folder, 'trust', `${name}.crt`);
    const bundle = generations.map((generation) => certificatePem(this.certificate(generation))).join('');
    if (!existsSync(file) || readFileSync(file, 'utf8') !== bundle) replaceFile(file, bundle, 0o644);
  }
}

/** @throws Error naming the file and what is wrong with it. */
export function readManifest(file: string): AuthoritiesManifest {
  const text = readFileSync(file, 'utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
  const parsed = AuthoritiesManifest.safeParse(json);
  if (!parsed.success) throw new Error(`${file}:\n${z.prettifyError(parsed.error)}`, { cause: parsed.error });
  return parsed.data;
}
