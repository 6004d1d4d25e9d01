import { createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signDer } from '@outrider/crypto';
import type { Service } from '@outrider/ids';
import { issueCertificate, parseCertificates } from '@outrider/x509';
import { activeOf } from '../authorities/manifest.js';
import {
  CaFolder,
  certificatePem,
  newPrivateKey,
  newSerialNumber,
  type OpenAuthority,
  openAuthority,
  publicKeyDer,
  replaceFile,
} from './ca-files.store.js';
import type { CeremonyOptions } from './create-authorities.command.js';
import { ManifestFile } from './manifest.store.js';
import { needsReissue, type ServiceHosts, serviceDescription } from './service-certificate.js';

export interface IssueServerOptions extends CeremonyOptions {
  /** Where `<service>.crt` (leaf, then the infrastructure CA) and `<service>.key` go. */
  readonly to: string;
  readonly services: readonly Service[];
  readonly hosts: ServiceHosts;
}

/** Issues what is missing or due. @returns the services that got a new certificate. */
export async function issueServers(options: IssueServerOptions): Promise<Service[]> {
  const folder = new CaFolder(options.out);
  const issuer = infrastructureCa(options);
  mkdirSync(options.to, { recursive: true, mode: 0o700 });
  const issued: Service[] = [];
  for (const service of options.services) {
    if (await issueServer(service, issuer, folder, options)) issued.push(service);
  }
  return issued;
}

function infrastructureCa({ out, passphrase }: CeremonyOptions): OpenAuthority {
  const entry = new ManifestFile(out).read()['infrastructure-ca'];
  if (entry === undefined) throw new Error(`${out} has no infrastructure-ca in its manifest: run create first`);
  const { key, certificate } = activeOf(entry);
  if (key.kind !== 'file') throw new Error('the key of infrastructure-ca is in a token');
  return openAuthority(join(out, key.file), join(out, certificate), passphrase);
}

async function issueServer(
  service: Service,
  issuer: OpenAuthority,
  folder: CaFolder,
  options: IssueServerOptions,
): Promise<boolean> {
  const certificateFile = join(options.to, `${service}.crt`);
  const keyFile = join(options.to, `${service}.key`);
  const privateKey = newPrivateKey('P-256');
  const spkiDer = new Uint8Array(publicKeyDer(privateKey));
  const { trustDomain, hosts, now } = options;
  const description = serviceDescription(service, trustDomain, hosts, spkiDer, newSerialNumber(), now);
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const [current] = parseCertificates(readFileSync(certificateFile, 'utf8'));
    const fits = current && publicKeyDer(createPrivateKey(readFileSync(keyFile))).equals(current.spkiDer);
    if (fits && !needsReissue(current, issuer.certificate, description, now)) return false;
  }
  const certificate = await issueCertificate(description, issuer.certificate, (tbs) => signDer(issuer.privateKey, tbs));
  folder.log(certificate, description.profile);
  // Key first: cut short between the two, the pair does not fit and is issued anew.
  replaceFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
  replaceFile(certificateFile, certificatePem(certificate) + certificatePem(issuer.certificate), 0o644);
  return true;
}
