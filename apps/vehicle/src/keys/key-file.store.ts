/** Private keys as PKCS#8 files, 0600 in a 0700 directory. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sign } from '@outrider/crypto';
import { createCertificationRequest } from '@outrider/x509';
import { writeFileDurably } from '../agent/durable-file.store.js';
import type { KeyStore, KeyType } from './key-store.js';

/** `directory` is made when it is not there. Refuses one that others may read. */
export async function openKeyFiles(directory: string): Promise<KeyStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { mode } = await stat(directory);
  if ((mode & 0o077) !== 0) await chmod(directory, 0o700);
  return new KeyFiles(directory);
}

class KeyFiles implements KeyStore {
  /** A key is read once: signing a message a second should not read a file a second. */
  private readonly loaded = new Map<string, KeyObject>();

  constructor(private readonly directory: string) {}

  async generate(name: string, type: KeyType): Promise<KeyObject> {
    const existing = await this.load(name).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (existing) return createPublicKey(existing);
    const { privateKey, publicKey } =
      type === 'P-256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
    await writeFileDurably(this.path(name), privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    this.loaded.set(name, privateKey);
    return publicKey;
  }

  async publicKey(name: string): Promise<KeyObject> {
    return createPublicKey(await this.load(name));
  }

  async sign(name: string, bytes: Uint8Array): Promise<Buffer> {
    return sign(await this.load(name), bytes);
  }

  async certificationRequest(name: string, commonName: string | undefined): Promise<Uint8Array> {
    const privateKey = await this.load(name);
    return createCertificationRequest({
      subject: commonName ?? [],
      privateKey,
      publicKey: createPublicKey(privateKey),
    });
  }

  async privateKeyForTls(name: string): Promise<string> {
    return (await this.load(name)).export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  async remove(name: string): Promise<void> {
    this.loaded.delete(name);
    await rm(this.path(name), { force: true });
  }

  private async load(name: string): Promise<KeyObject> {
    const known = this.loaded.get(name);
    if (known) return known;
    const key = createPrivateKey(await readFile(this.path(name)));
    this.loaded.set(name, key);
    return key;
  }

  private path(name: string): string {
    if (!/^[a-z0-9-]{1,64}$/.test(name)) throw new TypeError(`${name} is no key name`);
    return join(this.directory, `${name}.key`);
  }
}
