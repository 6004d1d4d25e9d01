import { createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crossPath, issueCertificate, type ParsedCertificate, parseCertificates } from '@outrider/x509';
import { activeOf } from '../authorities/manifest.js';
import type { CaKey } from '../keys/ca-key.js';
import {
  CaFolder,
  certificatePem,
  newPrivateKey,
  newSerialNumber,
  publicKeyDer,
  replaceFile,
} from './ca-files.store.js';
import { openKey } from './ceremony-keys.store.js';
import type { CeremonyOptions } from './create-authorities.command.js';
import { ManifestFile } from './manifest.store.js';
import { readCrosses } from './root-trust.store.js';
import { needsReissue, type ServerName, type ServiceHosts, serviceDescription } from './service-certificate.js';

export interface IssueServerOptions extends CeremonyOptions {
  /** Where `<service>.crt` (leaf, the infrastructure CA, cross certificates of the root) and `<service>.key` go. */
  readonly to: string;
  readonly services: readonly ServerName[];
  readonly hosts: ServiceHosts;
}

/** Issues what is missing or due, and sees to the chains. @returns the services that got a new certificate or chain. */
export async function issueServers(options: IssueServerOptions): Promise<ServerName[]> {
  const folder = new CaFolder(options.out);
  const issuer = infrastructureCa(options);
  mkdirSync(options.to, { recursive: true, mode: 0o700 });
  const issued: ServerName[] = [];
  for (const service of options.services) {
    if (await issueServer(service, issuer, folder, options)) issued.push(service);
  }
  return issued;
}

interface Issuer {
  readonly certificate: ParsedCertificate;
  readonly key: CaKey;
}

function infrastructureCa(options: CeremonyOptions): Issuer {
  const manifest = new ManifestFile(options.out);
  const entry = manifest.read()['infrastructure-ca'];
  if (entry === undefined) throw new Error(`${manifest.path} has no infrastructure-ca: run create first`);
  const active = activeOf(entry);
  return { certificate: manifest.certificate(active), key: openKey(options, active.key) };
}

async function issueServer(
  service: ServerName,
  issuer: Issuer,
  folder: CaFolder,
  options: IssueServerOptions,
): Promise<boolean> {
  const certificateFile = join(options.to, `${service}.crt`);
  const keyFile = join(options.to, `${service}.key`);
  const privateKey = newPrivateKey('P-256');
  const spkiDer = new Uint8Array(publicKeyDer(privateKey));
  const { trustDomain, hosts, now } = options;
  // The issuing CA, and during a root rollover what leads a client with another root to the one above it.
  const above = [issuer.certificate, ...crossPath(issuer.certificate, readCrosses(options.out, 'fleet-root'))];
  const description = serviceDescription(service, trustDomain, hosts, spkiDer, newSerialNumber(), now);
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const [current] = parseCertificates(readFileSync(certificateFile, 'utf8'));
    const fits = current && publicKeyDer(createPrivateKey(readFileSync(keyFile))).equals(current.spkiDer);
    if (fits && !needsReissue(current, issuer.certificate, description, now)) {
      return replaceChain(certificateFile, [current, ...above]);
    }
  }
  const certificate = await issueCertificate(description, issuer.certificate, (tbs) => issuer.key.sign(tbs));
  folder.log(certificate, description.profile);
  // Key first: cut short between the two, the pair does not fit and is issued anew.
  replaceFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
  replaceChain(certificateFile, [certificate, ...above]);
  return true;
}

/** @returns whether the file said something else. */
function replaceChain(file: string, chain: readonly ParsedCertificate[]): boolean {
  const pem = chain.map(certificatePem).join('');
  if (existsSync(file) && readFileSync(file, 'utf8') === pem) return false;
  replaceFile(file, pem, 0o644);
  return true;
}
