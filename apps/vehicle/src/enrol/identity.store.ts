/** The vehicle's certificate and the enrolment under way, on the disk; the factory identity, read from its own directory. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { readFileIfThere, removeFileDurably, writeFileDurably } from '../agent/durable-file.store.js';
import type { TlsIdentity } from '../http/vehicle.client.js';
import { factoryDeviceHint, type Identity, readIdentity, type StoredIdentity } from './identity.js';

const StoredIdentityFile = z.object({
  keyName: z.string(),
  previousKeyName: z.string().optional(),
  certificate: z.string(),
  receivedAt: z.number(),
});

/** Kept until it is answered: a lost answer is asked for again with the same key and the same bytes. */
const PendingFile = z.object({ keyName: z.string(), request: z.base64() });
export type PendingEnrolment = z.infer<typeof PendingFile>;

export class IdentityStore {
  constructor(private readonly directory: string) {}

  async identity(): Promise<Identity | undefined> {
    const text = await readFileIfThere(this.path('identity.json'));
    return text === undefined ? undefined : readIdentity(StoredIdentityFile.parse(JSON.parse(text)));
  }

  /** The new certificate takes over, then the enrolment is over: in this order a crash leaves at worst a retry. */
  async save(stored: StoredIdentity): Promise<Identity> {
    const { keyName, previousKeyName, certificate, receivedAt } = stored;
    const content = JSON.stringify({ keyName, previousKeyName, certificate, receivedAt }, undefined, 2);
    const identity = readIdentity(stored);
    await writeFileDurably(this.path('identity.json'), `${content}\n`);
    await writeFileDurably(this.path('ldevid.crt'), certificate);
    await removeFileDurably(this.path('pending.json'));
    return identity;
  }

  async pending(): Promise<PendingEnrolment | undefined> {
    const text = await readFileIfThere(this.path('pending.json'));
    return text === undefined ? undefined : PendingFile.parse(JSON.parse(text));
  }

  async savePending(pending: PendingEnrolment): Promise<void> {
    await writeFileDurably(this.path('pending.json'), `${JSON.stringify(pending)}\n`);
  }

  /** Of `RenewalPlanService`, which knows its form; undefined when there is none, or none that can be read. */
  async renewalPlan(): Promise<unknown> {
    const text = await readFileIfThere(this.path('renewal.json'));
    return text === undefined ? undefined : readJson(text);
  }

  async saveRenewalPlan(plan: object): Promise<void> {
    await writeFileDurably(this.path('renewal.json'), `${JSON.stringify(plan)}\n`);
  }

  private path(name: string): string {
    return join(this.directory, name);
  }
}

/** A plan that cannot be read is made anew. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface FactoryIdentity extends TlsIdentity {
  /** PEM of the leaf alone. */
  readonly certificate: string;
}

/** `factory.crt`, `factory.key` and, where the manufacturer has intermediates, `chain.pem` with what stands above the leaf. */
export async function readFactoryIdentity(directory: string): Promise<FactoryIdentity> {
  const [certificate, privateKey, chain] = await Promise.all([
    readFile(join(directory, 'factory.crt'), 'utf8'),
    readFile(join(directory, 'factory.key'), 'utf8'),
    readFileIfThere(join(directory, 'chain.pem')),
  ]);
  return { certificate, privateKey, certificates: `${certificate}\n${chain ?? ''}` };
}

/** What the vehicle is called until it is enrolled; undefined when the factory certificate does not say or cannot be read yet. */
export async function factoryName(directory: string): Promise<DeviceId | undefined> {
  const certificate = await readFileIfThere(join(directory, 'factory.crt'));
  try {
    return certificate === undefined ? undefined : factoryDeviceHint(certificate);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
