import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { DeviceClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { decideRefresh, REFRESH_SECONDS, type RefreshHolder } from './decide-refresh.js';
import { type FoundRefreshToken, RefreshTokenRepository } from './refresh-tokens.repository.js';

const TOKEN_BYTES = 32;
/** Told apart from access tokens by it, which can then be revoked without the database. */
const FORM = /^[A-Za-z0-9_-]{43}$/;

/** Refresh tokens (RFC 6749 §6): opaque, stored hashed, used once; a second use ends the family and the access tokens that came of it. */
@Injectable()
export class RefreshTokens {
  constructor(
    private readonly database: Database,
    private readonly tokens: RefreshTokenRepository,
    private readonly denied: DeniedTokens,
  ) {}

  /** The first one of a family, given beside the access token of these claims. */
  async begin(holder: RefreshHolder, claims: DeviceClaims, now: Date): Promise<string> {
    const familyId = randomUUID();
    const endsAt = new Date(now.getTime() + REFRESH_SECONDS * 1000);
    return this.database.transaction(async (tx) => {
      await this.tokens.begin(tx, holder, { id: familyId, scope: claims.scope, startedAt: now, endsAt });
      const made = make(familyId, claims, now);
      await this.tokens.add(tx, made.row);
      return made.token;
    });
  }

  /**
   * The scope that the token's family is for, before anything else is asked. What must end, ends here.
   * @throws DomainError `token.invalid_grant`
   */
  async scopeOf(token: string, holder: RefreshHolder, now: Date): Promise<string> {
    const found = await this.tokens.find(hashOf(token));
    const decision = decideRefresh(found, holder, now.getTime());
    if (found && decision === 'rotate') return found.scope;
    if (found && decision === 'end') await this.end(found, now);
    throw invalidGrant();
  }

  /**
   * The next token in place of `token`, last of all checks: of any number of uses at once one gets here, and the others end the family.
   * @throws DomainError `token.invalid_grant`
   */
  async rotate(token: string, holder: RefreshHolder, claims: DeviceClaims, now: Date): Promise<string> {
    const hash = hashOf(token);
    const { found, next } = await this.database.transaction(async (tx) => {
      const found = await this.tokens.lock(tx, hash);
      if (!found || decideRefresh(found, holder, now.getTime()) !== 'rotate') return { found, next: undefined };
      await this.tokens.use(tx, hash, now);
      const made = make(found.familyId, claims, now);
      await this.tokens.add(tx, made.row);
      return { found, next: made.token };
    });
    if (next !== undefined) return next;
    if (found && decideRefresh(found, holder, now.getTime()) === 'end') await this.end(found, now);
    throw invalidGrant();
  }

  /**
   * Ends the family of a token at its own client's word (RFC 7009 §2.1); false where there is none.
   * @throws DomainError `token.unauthorized_client`, `service.upstream_unavailable`
   */
  async revoke(token: string, clientId: string, now: Date): Promise<boolean> {
    if (!FORM.test(token)) return false;
    const found = await this.tokens.find(hashOf(token));
    if (!found) return false;
    if (found.deviceId !== clientId) {
      throw new DomainError('token.unauthorized_client', { detail: 'the token was issued to another client' });
    }
    await this.end(found, now, 'revoked by its client');
    return true;
  }

  /** First no more tokens come of it, then those that did are denied everywhere: where that fails the answer is 503, and coming again finishes it. */
  private async end({ familyId }: FoundRefreshToken, now: Date, why = 'its refresh token was used twice') {
    await this.database.transaction((tx) => this.tokens.end(tx, familyId, why, now));
    await this.denied.deny(await this.tokens.liveAccessTokens(familyId, now), why);
  }
}

function make(familyId: string, { jti, exp }: DeviceClaims, issuedAt: Date) {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const accessExpiresAt = new Date(exp * 1000);
  return { token, row: { hash: hashOf(token), familyId, accessJti: jti, accessExpiresAt, issuedAt } };
}

/** 256 random bits need no salt. */
function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/** One and the same for unknown, over, used and another's: who guesses learns nothing. */
function invalidGrant(): DomainError {
  return new DomainError('token.invalid_grant', { detail: 'ask with the certificate again' });
}
