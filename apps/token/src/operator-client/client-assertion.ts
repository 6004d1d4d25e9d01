/** Decides whether a client assertion is this account's, for us, and now (RFC 7523 §3). That it is used once, the database decides. */
import type { KeyObject } from 'node:crypto';
import { DomainError } from '@outrider/errors';
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { required, type TokenForm } from '../oauth/token-form.js';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** Seconds that an assertion's `exp` may lie ahead. */
export const MAX_ASSERTION_SECONDS = 300;
const MAX_ASSERTION_CHARACTERS = 4096;
const MAX_ID_CHARACTERS = 128;

/** `audiences`: any one of them names us. `skewSeconds`: forgiven in iat, nbf and the bound on exp; exp itself has no grace. */
export interface AssertionExpectation {
  readonly clientId: string;
  readonly publicKey: KeyObject;
  readonly audiences: readonly string[];
  readonly nowMs: number;
  readonly skewSeconds: number;
}

/** What makes a good assertion single use: `jti` until `expiresAt` (seconds since the epoch). */
export interface VerifiedAssertion {
  readonly jti: string;
  readonly expiresAt: number;
}

/**
 * A form's assertion, and the client that it claims to be of; attacker-controlled until verified.
 * @throws DomainError `token.invalid_client`, `token.invalid_request`
 */
export function readClientAssertion(form: TokenForm): { readonly clientId: string; readonly assertion: string } {
  if (form.get('client_assertion_type') !== ASSERTION_TYPE) throw refused('authenticate by private_key_jwt (RFC 7523)');
  const assertion = required(form, 'client_assertion');
  const clientId = claimedClient(assertion);
  // RFC 7523 §3: client_id may be left out, and must agree where it is not.
  if ((form.get('client_id') ?? clientId) !== clientId) throw refused("client_id is not the assertion's sub");
  return { clientId, assertion };
}

/** The client an assertion claims to be of; attacker-controlled until verified. @throws DomainError `token.invalid_client` */
export function claimedClient(assertion: string): string {
  if (assertion.length > MAX_ASSERTION_CHARACTERS) throw refused('the assertion is too long');
  try {
    const { sub } = decodeJwt(assertion);
    if (isId(sub)) return sub;
  } catch (cause) {
    throw refused('the assertion is no JWT', cause);
  }
  throw refused('the assertion has no sub');
}

/**
 * ES256 by the account's key; iss = sub = client id; one audience, us; a jti; exp at most five minutes ahead.
 * @throws DomainError `token.invalid_client`
 */
export async function verifyAssertion(assertion: string, expected: AssertionExpectation): Promise<VerifiedAssertion> {
  const payload = await verified(assertion, expected);
  const now = expected.nowMs / 1000;
  const { jti, exp, iat, nbf, aud } = payload;
  // One audience alone: an assertion made for several servers could be carried from one to another.
  if (Array.isArray(aud) && aud.length !== 1) throw refused('the assertion has several audiences');
  if (!isId(jti)) throw refused('the assertion has no jti');
  if (exp === undefined || !Number.isFinite(exp) || exp <= now) throw refused('the assertion has expired');
  if (exp > now + MAX_ASSERTION_SECONDS + expected.skewSeconds) throw refused('the assertion lives too long');
  if ((iat ?? 0) > now + expected.skewSeconds) throw refused('the assertion is of the future');
  if ((nbf ?? 0) > now + expected.skewSeconds) throw refused('the assertion is not valid yet');
  return { jti, expiresAt: Math.ceil(exp) };
}

async function verified(assertion: string, expected: AssertionExpectation): Promise<JWTPayload> {
  try {
    const { payload, protectedHeader } = await jwtVerify(assertion, expected.publicKey, {
      algorithms: ['ES256'],
      issuer: expected.clientId,
      subject: expected.clientId,
      audience: [...expected.audiences],
      currentDate: new Date(expected.nowMs),
      clockTolerance: expected.skewSeconds,
      requiredClaims: ['jti', 'exp'],
    });
    // The same key must not have signed this for another purpose (RFC 8725 §3.11).
    const { typ } = protectedHeader;
    if (typ !== undefined && typ !== 'JWT' && typ !== 'client-authentication+jwt')
      throw refused('typ of another message');
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) throw refused('the assertion does not verify', error);
    throw error;
  }
}

/** Without control characters: it goes to the database before anything of it is proved, and a NUL is no text there. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ID_CHARACTERS && /^[^\p{Cc}\p{Cs}]+$/u.test(value);
}

function refused(detail: string, cause?: unknown): DomainError {
  return new DomainError('token.invalid_client', { detail, ...(cause === undefined ? {} : { cause }) });
}
