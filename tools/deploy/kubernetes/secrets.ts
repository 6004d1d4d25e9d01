/** The fleet's files as Kubernetes Secrets and the ConfigMap of what is public: each service gets its own, and no more. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { rolePasswordFiles } from '../../local/database.ts';
import { secret, writeWhole } from '../../local/files.ts';
import { fleetFiles } from '../../local/fleet.ts';
import { natsPasswordFile, PROVISIONER } from '../../local/secrets.ts';
import { places, type Settings } from '../../local/settings.ts';
import { type CaManifest, onlineKeyFiles } from '../ca-keys.ts';
import { databaseScript } from './fleet.ts';
import type { Deployment } from './names.ts';

interface Document {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret' | 'ConfigMap';
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

/** Files of contents, by key. */
type Contents = Readonly<Record<string, string>>;

/** What `deploy:secrets` writes, as files by name. Reads the files of `settings.home`, and makes none. */
export function secretDocuments(
  settings: Settings,
  deployment: Deployment,
  namespace: string,
): Record<string, Document[]> {
  const { secrets, nats } = places(settings);
  const { service } = fleetFiles(settings);
  const { fullname } = deployment;
  const secretOf = (name: string | undefined, contents: Contents, type = 'Opaque', where = namespace): Document[] =>
    name === undefined ? [] : [document('Secret', name, where, contents, fullname, type)];
  const perService = deployment.services.flatMap(({ name, vehicle, own, owner, tls }) => [
    ...secretOf(own, ownSecrets(settings, name, vehicle)),
    ...secretOf(owner, { [`postgres-${name}-owner`]: password(rolePasswordFiles(secrets, name).owner) }),
    ...secretOf(tls, keyPair(service(name)), 'kubernetes.io/tls'),
  ]);
  const authorization = join(nats, 'authorization.conf');
  const natsTls = service('nats');
  return {
    'trust.yaml': deployment.trust
      ? [document('ConfigMap', deployment.trust, namespace, trustFiles(settings), fullname)]
      : [],
    'services.yaml': perService,
    'fleet-ca-keys.yaml': secretOf(deployment.ca, caFolder(settings, deployment.infrastructureCaOnline)),
    'provisioner.yaml': secretOf(deployment.provisioner, {
      [`nats-${PROVISIONER}`]: read(natsPasswordFile(secrets, PROVISIONER)),
    }),
    // For whoever runs the two servers; no pod of ours mounts them.
    'nats.yaml': [
      ...(deployment.natsNamespace === namespace
        ? []
        : [document('ConfigMap', `${fullname}-trust`, deployment.natsNamespace, trustFiles(settings), fullname)]),
      ...secretOf(
        `${fullname}-nats-authorization`,
        { 'authorization.conf': read(authorization) },
        'Opaque',
        deployment.natsNamespace,
      ),
      ...(existsSync(natsTls.key)
        ? secretOf(`${fullname}-nats-tls`, keyPair(natsTls), 'kubernetes.io/tls', deployment.natsNamespace)
        : []),
    ],
    'postgres.yaml': existsSync(databaseScript(settings))
      ? secretOf(`${fullname}-database`, { 'database.sql': read(databaseScript(settings)) })
      : [],
  };
}

/** Files that only their owner reads. Those of an earlier run in the folder go. */
export function writeSecretDocuments(documents: Record<string, Document[]>, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) if (name.endsWith('.yaml')) rmSync(join(folder, name));
  for (const [name, some] of Object.entries(documents)) {
    if (some.length > 0)
      writeWhole(
        join(folder, name),
        some.map((one) => `---\n${stringify(one, { lineWidth: 0, version: '1.1' })}`).join(''),
      );
  }
}

/** What lies at /run/outrider/secrets of one service. */
function ownSecrets(settings: Settings, name: string, vehicle: boolean): Contents {
  const { secrets } = places(settings);
  const { passphrase, service } = fleetFiles(settings);
  const signer = service('ocsp-signer');
  const more: Readonly<Record<string, Contents>> = {
    'fleet-ca': { 'fleet-ca-passphrase': read(passphrase) },
    token: { 'token-key-encryption': read(join(secrets, 'token-key-encryption')) },
    revocation: { 'ocsp-signer.crt': read(signer.certificate), 'ocsp-signer.key': read(signer.key) },
  };
  return {
    [`nats-${name}`]: read(natsPasswordFile(secrets, name)),
    [`postgres-${name}`]: password(rolePasswordFiles(secrets, name).runtime),
    ...(vehicle || name === 'gateway' ? { 'dpop-nonce': read(join(secrets, 'dpop-nonce')) } : {}),
    ...more[name],
  };
}

function keyPair({ certificate, key }: { certificate: string; key: string }): Contents {
  return { 'tls.crt': read(certificate), 'tls.key': read(key) };
}

function trustFiles(settings: Settings): Contents {
  const folder = join(places(settings).fleet, 'trust');
  return Object.fromEntries(readdirSync(folder).map((name) => [name, read(join(folder, name))]));
}

/**
 * The CA folder as one Secret, which knows no folders: the manifest says so. The root's key stays at home, and so does the
 * infrastructure CA's unless fleet-ca itself renews the services' certificates.
 */
function caFolder(settings: Settings, infrastructureCaOnline: boolean): Contents {
  const { fleet } = places(settings);
  const manifest = JSON.parse(read(fleetFiles(settings).manifest)) as CaManifest;
  const flat = (path: string) => path.replaceAll('/', '--');
  const contents: Record<string, string> = {};
  const online = onlineKeyFiles(manifest, infrastructureCaOnline);
  const flattened = Object.entries(manifest).map(([name, authority]) => {
    const generations = authority.generations.map((generation) => {
      const { certificate, key } = generation;
      contents[flat(certificate)] = read(join(fleet, certificate));
      if (key.file === undefined) return { ...generation, certificate: flat(certificate) };
      if (online.includes(key.file)) contents[flat(key.file)] = read(join(fleet, key.file));
      return { ...generation, certificate: flat(certificate), key: { ...key, file: flat(key.file) } };
    });
    return [name, { ...authority, generations }];
  });
  return { ...contents, 'authorities.json': `${JSON.stringify(Object.fromEntries(flattened), null, 2)}\n` };
}

function document(
  kind: 'Secret' | 'ConfigMap',
  name: string,
  namespace: string,
  contents: Contents,
  fullname: string,
  type?: string,
): Document {
  const labels = { 'app.kubernetes.io/part-of': fullname };
  const common = { apiVersion: 'v1', kind, metadata: { name, namespace, labels } } as const;
  if (kind === 'ConfigMap') return { ...common, data: contents };
  const encoded = Object.entries(contents).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...common, type: type ?? 'Opaque', data: Object.fromEntries(encoded) };
}

/** Made up on first use: PostgreSQL may learn of it later. */
function password(file: string): string {
  return `${secret(file)}\n`;
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}
