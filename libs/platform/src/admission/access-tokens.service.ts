import { Inject, Injectable } from '@nestjs/common';
import {
  type DeviceClaims,
  type KeyLookup,
  MAX_TOKEN_BYTES,
  OPERATOR_AUDIENCE,
  type OperatorClaims,
  type TokenExpectation,
  type TokenVerdict,
  vehicleAudience,
  verifyDeviceToken,
  verifyOperatorToken,
} from '@outrider/admission';
import { sha256Base64url } from '@outrider/crypto';
import { LRUCache } from 'lru-cache';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { JwksKeys } from './jwks.client.js';

const MAX_CACHED = 50_000;

type Verify<C> = (compact: string, keys: KeyLookup, expected: TokenExpectation) => TokenVerdict<C>;

/** Verified tokens of one kind by SHA-256; a verdict is kept neither past `exp` nor past a change of keys. */
class VerifiedTokens<C extends { readonly exp: number }> {
  private readonly cache = new LRUCache<string, { readonly claims: C; readonly version: number }>({ max: MAX_CACHED });

  constructor(
    private readonly verify: Verify<C>,
    private readonly audience: string,
    private readonly keys: JwksKeys,
    private readonly runtime: Runtime,
  ) {}

  check(compact: string, nowMs: number): TokenVerdict<C> {
    const { tokenIssuer: issuer, tokenSkewSeconds: skewSeconds } = this.runtime.config;
    const expected = { issuer, audience: this.audience, nowMs, skewSeconds };
    if (compact.length > MAX_TOKEN_BYTES) return this.verify(compact, this.keys.get, expected);
    const name = sha256Base64url(compact);
    const known = this.cache.get(name);
    if (known && known.version === this.keys.version && known.claims.exp * 1000 > nowMs) {
      return { ok: true, claims: known.claims };
    }
    const verdict = this.verify(compact, this.keys.get, expected);
    if (verdict.ok) this.cache.set(name, { claims: verdict.claims, version: this.keys.version });
    else this.cache.delete(name);
    return verdict;
  }
}

/** Verifies access tokens by the keys in memory, each token's signature once. */
@Injectable()
export class AccessTokens {
  private readonly devices: VerifiedTokens<DeviceClaims>;
  private readonly operators: VerifiedTokens<OperatorClaims>;
  private readonly others = new Map<string, VerifiedTokens<DeviceClaims>>();

  constructor(
    private readonly keys: JwksKeys,
    @Inject(RUNTIME) private readonly runtime: Runtime,
  ) {
    this.devices = new VerifiedTokens(verifyDeviceToken, vehicleAudience(runtime.service), keys, runtime);
    this.operators = new VerifiedTokens(verifyOperatorToken, OPERATOR_AUDIENCE, keys, runtime);
  }

  /** A vehicle's token for this service. */
  device(compact: string, nowMs: number): TokenVerdict<DeviceClaims> {
    return this.devices.check(compact, nowMs);
  }

  /** A vehicle's token for another resource than this service; `audience`: of configuration, since each is remembered. */
  deviceFor(audience: string, compact: string, nowMs: number): TokenVerdict<DeviceClaims> {
    let tokens = this.others.get(audience);
    if (!tokens) {
      tokens = new VerifiedTokens(verifyDeviceToken, audience, this.keys, this.runtime);
      this.others.set(audience, tokens);
    }
    return tokens.check(compact, nowMs);
  }

  operator(compact: string, nowMs: number): TokenVerdict<OperatorClaims> {
    return this.operators.check(compact, nowMs);
  }
}
