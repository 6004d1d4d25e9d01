/** Decides whether a request that an edge asks about may go on to the API behind it: its rule, then the same admission as everywhere. */
import {
  type AdmissionContext,
  type AdmissionRequest,
  type AdmissionRoute,
  type Allowed,
  admit,
  type Denied,
  type DeviceClaims,
  type PresentedToken,
  type ProofVerdict,
  presentedToken,
  type TokenVerdict,
} from '@outrider/admission';
import { type Api, findRoute, hostName, type Rule } from './api-rules.js';
import { hasTokenInQuery, originalTarget } from './original-target.js';

/** What an edge says that its client asked. Each value as the client sent it; several fields of one name joined by commas. */
export interface OriginalRequest {
  readonly method: string;
  /** `Host` or `:authority`. */
  readonly host: string;
  /** The request target in origin form: path and query, nothing decoded. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
}

/** `certificate`: what the client showed the edge, its path validated here. `remoteAddress`: the client's, by the edge's word. */
export type OriginalCaller = Pick<AdmissionRequest, 'certificate' | 'remoteAddress'>;

export interface AuthorizeContext extends Omit<AdmissionContext, 'verifyToken' | 'verifyProof'> {
  readonly apis: ReadonlyMap<string, Api>;
  readonly verifyToken: (audience: string, compact: string) => TokenVerdict<DeviceClaims>;
  /** `urls`: of this request, any of which a proof may mean. Absent where DPoP is not taken. */
  readonly verifyProof?: ((urls: readonly string[], accessToken: string) => ProofVerdict) | undefined;
}

/** `api`, `rule`: as far as they are known. */
export type Authorization = (Allowed | Denied) & {
  readonly api: Api | undefined;
  readonly rule: Rule | undefined;
};

/** An edge's word for a certificate is good for what its own word would be: control needs a key that the vehicle itself shows. */
export function authorize(
  { method, host, target, authorization }: OriginalRequest,
  caller: OriginalCaller,
  { apis, verifyToken, verifyProof, ...context }: AuthorizeContext,
): Authorization {
  const api = apis.get(hostName(host));
  if (!api) return { ...deny('gateway.route_unknown', 'no API has this host'), api, rule: undefined };
  const read = originalTarget(target);
  if (!read.ok) return { ...deny('gateway.path_ambiguous', read.reason), api, rule: undefined };
  const route = findRoute(api, method, read.target);
  if (!route.found) return { ...deny(route.code, 'no rule has this method and path'), api, rule: undefined };
  const { rule, pathDevice } = route;
  if (rule.admit === 'nobody') return { ...deny('gateway.route_unknown', 'closed by a rule'), api, rule };
  if (rule.admit !== 'anyone' && hasTokenInQuery(read.target.query))
    return { ...deny('auth.token_in_query', 'an access token in the query'), api, rule };
  const presented: PresentedToken | undefined = presentedToken(authorization);
  const decision = admit(
    admissionRoute(rule),
    { ...caller, forwarded: true, bearer: presented?.token, scheme: presented?.scheme, pathDevice },
    {
      ...context,
      verifyToken: (compact) => verifyToken(api.audience, compact),
      ...(verifyProof ? { verifyProof: (token) => verifyProof(urlsOf(api, target), token) } : {}),
    },
  );
  if (decision.decision === 'allow' && rule.admit !== 'token' && pathDevice !== undefined)
    if (pathDevice !== decision.deviceId)
      return { ...deny('auth.wrong_device', 'certificate and path differ'), api, rule };
  return { ...decision, api, rule };
}

function admissionRoute(rule: Exclude<Rule, { admit: 'nobody' }>): AdmissionRoute {
  if (rule.admit === 'token')
    return { require: 'token', scopes: rule.scopes, control: rule.control, recovery: rule.recovery };
  return {
    require: rule.admit,
    scopes: [],
    control: false,
    recovery: rule.admit === 'certificate' && rule.recovery,
  };
}

function urlsOf({ publicUrls }: Api, target: string): string[] {
  return publicUrls.map((url) => url + target);
}

function deny(code: Denied['code'], reason: string): Denied {
  return { decision: 'deny', code, reason };
}
