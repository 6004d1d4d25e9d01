import { Inject, Injectable } from '@nestjs/common';
import { type DpopProof, dpopNonce, type NonceKey, type ProofVerdict, verifyDpopProof } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigError, readSecret } from '../service/config.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { DpopProofRepository } from './dpop-proof.repository.js';

const MIN_KEY_BYTES = 32;

/** DPoP as this service's vehicle listener takes it: proofs for its public URLs, nonces by the key of its replicas, each proof once. */
@Injectable()
export class Dpop {
  private readonly nonceKey: NonceKey | undefined;
  private readonly publicUrls: readonly string[];

  constructor(
    @Inject(RUNTIME) { config, service }: Runtime,
    private readonly used: DpopProofRepository,
  ) {
    const dpop = config.listeners.vehicle?.dpop;
    this.publicUrls = dpop?.publicUrls ?? [];
    this.nonceKey = dpop && readNonceKey(dpop.nonceKeyFile, service);
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
    if (!this.nonceKey) return undefined;
    const { dpop } = request.headers;
    return verifyDpopProof(Array.isArray(dpop) ? dpop.join(', ') : dpop, {
      method: request.method,
      urls: this.publicUrls.map((url) => url + request.url),
      accessToken,
      nonceKey: this.nonceKey,
      nowMs: Date.now(),
    });
  }

  /** Uses a proof up, last of all checks. @throws DomainError `auth.dpop_replayed`; `service.unavailable` while that cannot be known */
  async use(proof: DpopProof): Promise<void> {
    if (!(await this.used.use(proof))) throw new DomainError('auth.dpop_replayed');
  }

  /** Hands out the nonce for the next proof (RFC 9449 §8). */
  giveNonce(reply: FastifyReply): void {
    if (this.nonceKey) reply.header('dpop-nonce', dpopNonce(this.nonceKey, Date.now()));
  }
}

/** The key that a service's nonces are made with. @throws ConfigError for a file that holds none */
export function readNonceKey(file: string, service: string): NonceKey {
  const text = readSecret(file);
  const key = /^(?:[0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.alloc(0);
  if (key.length < MIN_KEY_BYTES) throw new ConfigError(`${file}: a DPoP nonce key is ${MIN_KEY_BYTES} bytes in hex`);
  return { key, service };
}
