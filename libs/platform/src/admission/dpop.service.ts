import { Inject, Injectable } from '@nestjs/common';
import { type DpopProof, dpopNonce, type NonceKey, type ProofVerdict, verifyDpopProof } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigError } from '../service/config.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { TrustFiles } from '../service/trust-files.service.js';
import { DpopProofRepository } from './dpop-proof.repository.js';

const MIN_KEY_BYTES = 32;

/** DPoP as this service's vehicle listener takes it: proofs for its public URLs, nonces by the key of its replicas, each proof once. */
@Injectable()
export class Dpop {
  private readonly publicUrls: readonly string[];

  constructor(
    @Inject(RUNTIME) private readonly runtime: Runtime,
    private readonly trustFiles: TrustFiles,
    private readonly used: DpopProofRepository,
  ) {
    this.publicUrls = runtime.config.listeners.vehicle?.dpop?.publicUrls ?? [];
    // A file without a key keeps the service from starting.
    void this.nonceKey;
  }

  private get nonceKey(): NonceKey | undefined {
    const { config, service } = this.runtime;
    const file = config.listeners.vehicle?.dpop?.nonceKeyFile;
    return file === undefined ? undefined : nonceKeyOf(this.trustFiles, file, service);
  }

  /** Whether proofs are taken at all. */
  get isOn(): boolean {
    return this.nonceKey !== undefined;
  }

  /**
   * The request's proof, all but for whether it was used before; undefined where none is taken here.
   * @param accessToken the token that it is to be used with, at a resource.
   */
  verify(request: FastifyRequest, accessToken?: string): ProofVerdict | undefined {
    const { nonceKey } = this;
    if (!nonceKey) return undefined;
    const { dpop } = request.headers;
    return verifyDpopProof(Array.isArray(dpop) ? dpop.join(', ') : dpop, {
      method: request.method,
      urls: this.publicUrls.map((url) => url + request.url),
      accessToken,
      nonceKey,
      nowMs: Date.now(),
    });
  }

  /** Uses a proof up, last of all checks. @throws DomainError `auth.dpop_replayed`; `service.unavailable` while that cannot be known */
  async use(proof: DpopProof): Promise<void> {
    if (!(await this.used.use(proof))) throw new DomainError('auth.dpop_replayed');
  }

  /** Hands out the nonce for the next proof (RFC 9449 §8). */
  giveNonce(reply: FastifyReply): void {
    const { nonceKey } = this;
    if (nonceKey) reply.header('dpop-nonce', dpopNonce(nonceKey, Date.now()));
  }
}

/** The keys of a service's nonces, as their file has them now. @throws ConfigError for a file that holds none, where it is asked for first */
export function nonceKeyOf(files: TrustFiles, file: string, service: string): NonceKey {
  return files.secret(file, (text) => {
    const [key, ...others] = text.split(/\r?\n/).map((line) => nonceKey(file, line));
    return { key: key as Buffer, others, service };
  });
}

function nonceKey(file: string, text: string): Buffer {
  const key = /^(?:[0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.alloc(0);
  if (key.length < MIN_KEY_BYTES) throw new ConfigError(`${file}: a DPoP nonce key is ${MIN_KEY_BYTES} bytes in hex`);
  return key;
}
