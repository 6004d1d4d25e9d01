import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { POLICIES_BUCKET, POLICIES_KEY, type PoliciesInForce } from '@outrider/contracts';
import { JWS_TYP, parseJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { Schedule } from '@outrider/platform/service';
import { Bundles } from './bundles.repository.js';

const EVERY_MS = 5_000;
/** Signed anew that often, so that whoever starts later finds a signature by a certificate that is still good. */
const FRESH_MS = 24 * 3_600_000;
const MAX_BYTES = 1_048_576;

/** Keeps the bucket at the latest version: at once after a change, and whenever it is found otherwise. */
@Injectable()
export class BundlePublisher implements OnApplicationBootstrap {
  constructor(
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    private readonly bundles: Bundles,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(EVERY_MS, 'the policies are not published', () => this.publish(new Date()));
  }

  async publish(now: Date): Promise<void> {
    const latest = await this.bundles.latest();
    if (!latest) return;
    const bucket = await this.nats.bucket(POLICIES_BUCKET.name);
    const record = await bucket.get(POLICIES_KEY);
    const lying = record?.operation === 'PUT' ? contentOf(record.string()) : undefined;
    const { version, schema, policies } = latest;
    const fresh = lying && now.getTime() - Date.parse(lying.issuedAt) < FRESH_MS;
    if (fresh && lying.version >= version) return;
    const content: PoliciesInForce = { version, schema, policies, issuedAt: now.toISOString() };
    await bucket.put(POLICIES_KEY, this.identity.sign(JWS_TYP.policies, content));
  }
}

/** What lies there says of itself; whoever takes it into force verifies it, and what cannot be read is written anew. */
function contentOf(jws: string): PoliciesInForce | undefined {
  try {
    return JSON.parse(Buffer.from(parseJws(jws, MAX_BYTES).payload).toString()) as PoliciesInForce;
  } catch (error) {
    if (error instanceof DomainError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
