import { Injectable } from '@nestjs/common';
import { type DpopProof, denylistCode } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { DenylistFeed, Dpop } from '@outrider/platform/admission';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** DPoP at the token endpoint (RFC 9449 §5), with the error names of OAuth. */
@Injectable()
export class TokenProofs {
  constructor(
    private readonly dpop: Dpop,
    private readonly denylist: DenylistFeed,
  ) {}

  /**
   * The key to bind the token to; undefined where the request brings no proof. Hands out a nonce where the next proof needs one.
   * @throws DomainError `token.invalid_dpop_proof`, `token.use_dpop_nonce`, `denylist.key`
   */
  read(request: FastifyRequest, reply: FastifyReply): DpopProof | undefined {
    if (request.headers.dpop === undefined) return undefined;
    const verdict = this.dpop.verify(request);
    if (!verdict?.ok || !verdict.proof.nonceCurrent) this.dpop.giveNonce(reply);
    if (!verdict) throw new DomainError('token.invalid_dpop_proof', { detail: 'DPoP is not taken here' });
    if (!verdict.ok) {
      const code = verdict.code === 'auth.dpop_nonce' ? 'token.use_dpop_nonce' : 'token.invalid_dpop_proof';
      throw new DomainError(code, { detail: verdict.reason });
    }
    const entry = this.denylist.match({ keyThumbprint: verdict.proof.keyThumbprint });
    if (entry) throw new DomainError(denylistCode(entry.kind), { detail: entry.reason });
    return verdict.proof;
  }

  /** Last of all checks: a proof serves once. @throws DomainError `token.invalid_dpop_proof`; `service.unavailable` while that cannot be known */
  async useUp(proof: DpopProof): Promise<void> {
    try {
      await this.dpop.use(proof);
    } catch (cause) {
      if (!(cause instanceof DomainError) || cause.code !== 'auth.dpop_replayed') throw cause;
      throw new DomainError('token.invalid_dpop_proof', { cause, detail: 'the proof has been used before' });
    }
  }
}
