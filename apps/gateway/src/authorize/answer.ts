/** Decides how a decision is said to an edge over HTTP. */
import { challenge, type Denied, dpopChallenge } from '@outrider/admission';
import { CODES } from '@outrider/errors';
import { IDENTITY_HEADERS, type Identity } from './identity.js';

/** A whole response; `body` empty where the edge writes it. */
export interface EdgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `nonce`: for the client's next DPoP proof, where one is to be handed out. */
export interface Refusal extends Pick<Denied, 'code' | 'reason'> {
  readonly presented: 'Bearer' | 'DPoP' | undefined;
  readonly scopes: readonly string[];
  readonly takesDpop: boolean;
  readonly nonce: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

/** No cache on the way may answer in our place: what was allowed may be revoked by the next request. */
const NO_STORE = { 'cache-control': 'no-store' } as const;

/** `responseHeaders`: for the client. */
export function allowed(identity: Identity, nonce: string | undefined): EdgeAnswer {
  return { status: 200, headers: { ...NO_STORE, ...identity, ...(nonce ? { 'dpop-nonce': nonce } : {}) }, body: '' };
}

/** For Envoy over HTTP: a client's own copies of what we do not say are taken away too. */
export function allowedForEnvoy(identity: Identity, nonce: string | undefined): EdgeAnswer {
  const { headers, ...rest } = allowed(identity, nonce);
  const others = IDENTITY_HEADERS.filter((name) => identity[name] === undefined);
  return { ...rest, headers: { ...headers, 'x-envoy-auth-headers-to-remove': others.join(',') } };
}

/** The refusal as the client is to see it: a problem document (RFC 9457) with its challenge. */
export function refused(refusal: Refusal): EdgeAnswer {
  const { status, title } = CODES[refusal.code];
  const problem = { type: `https://outrider.dev/problems/${refusal.code}`, title, status, code: refusal.code };
  return {
    status,
    headers: { ...NO_STORE, 'content-type': 'application/problem+json', ...clientHeaders(refusal) },
    body: JSON.stringify({ ...problem, detail: refusal.reason }),
  };
}

/** NGINX passes on 401 and 403 alone and no body: it writes the refusal itself by these fields (deploy/edge/nginx). */
export function refusedForNginx(refusal: Refusal): EdgeAnswer {
  const { status } = CODES[refusal.code];
  return {
    status: status === 401 ? 401 : 403,
    headers: {
      ...NO_STORE,
      'x-outrider-status': String(status),
      'x-outrider-code': refusal.code,
      ...clientHeaders(refusal),
    },
    body: '',
  };
}

/** What of a refusal is for the client besides its status and its body. */
export function clientHeaders(refusal: Refusal): Record<string, string> {
  const { nonce, retryAfterSeconds } = refusal;
  const asked = challengeOf(refusal);
  return {
    ...(asked === undefined ? {} : { 'www-authenticate': asked }),
    ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }),
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  };
}

function challengeOf({ code, presented, scopes, takesDpop }: Refusal): string | undefined {
  if (code.startsWith('auth.dpop_') || presented === 'DPoP') return dpopChallenge(code, scopes);
  const bearer = challenge(code, scopes);
  return code === 'auth.token_missing' && takesDpop ? `${bearer}, ${dpopChallenge(code, scopes)}` : bearer;
}

/** For what has nothing to do with the client: who asks, and how. */
export function bareRefusal(code: Denied['code'], reason: string): Refusal {
  const nothing = {
    presented: undefined,
    scopes: [],
    takesDpop: false,
    nonce: undefined,
    retryAfterSeconds: undefined,
  };
  return { code, reason, ...nothing };
}
