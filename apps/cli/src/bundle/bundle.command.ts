/** `bundle`: a certificate, its chain and its key in one file that a browser or a phone takes in. */
import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DeviceId } from '@outrider/ids';
import { Command } from 'commander';
import { z } from 'zod';
import { endpointsPath, fromUser } from '../endpoints/endpoints.store.js';
import { UsageError } from '../exit-code.js';
import { OutputService } from '../output/output.service.js';
import { pkcs12 } from './pkcs12.service.js';

interface BundleOptions {
  readonly certificate?: string;
  readonly key?: string;
  readonly vehicle?: string;
  readonly chain?: string;
  readonly out: string;
  readonly passwordFile?: string;
  readonly name?: string;
}

interface Source {
  readonly certificates: readonly X509Certificate[];
  readonly privateKey: KeyObject;
}

/** The vehicle agent's state: which key its certificate is for. */
const Identity = z.object({ keyName: z.string().regex(/^[a-z0-9-]{1,64}$/), certificate: z.string() });

export function bundleCommand(): Command {
  return new Command('bundle')
    .description('make a PKCS#12 bundle for a browser or a phone')
    .option('--certificate <file>', 'PEM; may hold its chain too')
    .option('--key <file>', 'PEM, not encrypted')
    .option('--vehicle <id>', 'a vehicle that runs on this machine, instead of --certificate and --key')
    .option('--chain <file>', 'PEM: what stands above the certificate')
    .requiredOption('--out <file>', 'gets the bundle, e.g. operator.p12')
    .option('--password-file <file>', 'holds the password; default: one is made, beside the bundle')
    .option('--name <name>', 'shown by the device; default: the name in the certificate')
    .action(bundle);
}

async function bundle(options: BundleOptions, command: Command): Promise<void> {
  const source = options.vehicle ? await vehicleSource(options.vehicle) : await fileSource(options);
  const chain = options.chain ? certificatesOf(await readFile(fromUser(options.chain), 'utf8'), options.chain) : [];
  const [leaf] = source.certificates;
  if (!leaf?.checkPrivateKey(source.privateKey)) throw new Error('the key is not the one of the certificate');
  const certificates = inOrder(leaf, [...source.certificates.slice(1), ...chain]);
  const out = fromUser(options.out);
  const given = options.passwordFile && fromUser(options.passwordFile);
  const passwordFile = given ?? `${out}.password`;
  const password = given ? firstLine(await readFile(given, 'utf8')) : randomBytes(16).toString('base64url');
  if (password === '') throw new UsageError(`${passwordFile}: no password in its first line`);
  const friendlyName = options.name ?? /^CN=(.+)$/m.exec(leaf.subject)?.[1] ?? 'Outrider';
  const ders = certificates.map(({ raw }) => raw);
  const bytes = pkcs12({ privateKey: source.privateKey, certificates: ders, friendlyName, password });
  if (!given) await writeNew(passwordFile, `${password}\n`);
  await writeNew(out, bytes);
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  new OutputService(json === true).record({
    bundle: out,
    password_file: passwordFile,
    name: friendlyName,
    certificates: ders.length,
  });
}

async function fileSource({ certificate, key }: BundleOptions): Promise<Source> {
  if (!certificate || !key) throw new UsageError('give --certificate and --key, or --vehicle');
  const [pem, keyPem] = await Promise.all([readFile(fromUser(certificate), 'utf8'), readFile(fromUser(key), 'utf8')]);
  return { certificates: certificatesOf(pem, certificate), privateKey: privateKeyOf(keyPem, key) };
}

/** What the local suite's simulator keeps of a vehicle. */
async function vehicleSource(id: string): Promise<Source> {
  if (!DeviceId.safeParse(id).success) throw new UsageError(`${id} is no device id`);
  const directory = join(dirname(endpointsPath(process.env)), 'vehicles', id);
  const file = join(directory, 'identity.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${file}: no vehicle of this name is enrolled on this machine`, { cause });
  });
  const { keyName, certificate } = Identity.parse(JSON.parse(text));
  const keyFile = join(directory, 'keys', `${keyName}.key`);
  const privateKey = privateKeyOf(await readFile(keyFile, 'utf8'), keyFile);
  return { certificates: certificatesOf(certificate, file), privateKey };
}

function certificatesOf(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Error(`${file}: a certificate in it cannot be read`, { cause });
  }
  throw new Error(`${file}: no certificate in PEM`);
}

function privateKeyOf(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error(`${file}: no private key in PEM, or an encrypted one`, { cause });
  }
}

/** The leaf, then who signed the one before; what belongs to no one stays out. */
function inOrder(leaf: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const path = [leaf];
  for (let last = leaf; ; last = path.at(-1) as X509Certificate) {
    const above = others.find((one) => !path.some(({ raw }) => raw.equals(one.raw)) && isIssuer(last, one));
    if (!above) return path;
    path.push(above);
  }
}

function isIssuer(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Nothing that exists is written over, and nobody else ever could read it. */
async function writeNew(file: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(file, content, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new Error(`${file} is there already`, { cause });
    throw cause;
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}
