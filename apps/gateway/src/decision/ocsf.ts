/** Says a decision in the words of OCSF, so that a SIEM takes it as it is. */
import { type Decision, OCSF_VERSION, type OcsfDecision } from '@outrider/contracts';

type Logged = Decision & { readonly id: string };
type Severity = Pick<OcsfDecision, 'severity_id' | 'severity'>;

const SEVERITIES = {
  informational: { severity_id: 1, severity: 'Informational' },
  low: { severity_id: 2, severity: 'Low' },
  medium: { severity_id: 3, severity: 'Medium' },
  high: { severity_id: 4, severity: 'High' },
} as const satisfies Record<string, Severity>;

/** What no vehicle and no operator does by mistake: somebody uses what is another's, or plays back what was said. */
const HIGH =
  /^(?:auth\.(?:token_binding_mismatch|wrong_device|dpop_replayed|client_cert_header_ignored)|denylist\.key|telemetry\.replayed|command\.nonce_foreign)$/;
const MEDIUM = /^(?:denylist|policy|tls|est)\./;

const ACTIVITY_OF_METHOD: Readonly<Record<string, { activity_id: 1 | 2 | 3 | 4; activity_name: string }>> = {
  POST: { activity_id: 1, activity_name: 'Create' },
  GET: { activity_id: 2, activity_name: 'Read' },
  HEAD: { activity_id: 2, activity_name: 'Read' },
  PUT: { activity_id: 3, activity_name: 'Update' },
  PATCH: { activity_id: 3, activity_name: 'Update' },
  DELETE: { activity_id: 4, activity_name: 'Delete' },
};

/** Authentication (3002) for handshakes and whatever the token service decides, API Activity (6003) for the rest. */
export function ocsfDecision(decision: Logged): OcsfDecision {
  const { service, action, deviceId, subject, tokenId } = decision;
  const user = {
    ...(deviceId || subject ? { uid: deviceId ?? subject } : { name: 'unknown' }),
    ...(deviceId
      ? { type_id: 3, type: 'System' }
      : subject
        ? { type_id: 1, type: 'User' }
        : { type_id: 0, type: 'Unknown' }),
    ...(decision.thumbprint ? { credential_uid: decision.thumbprint } : {}),
  };
  const session = tokenId ? { session: { uid: tokenId } } : {};
  if (isAuthentication(decision)) {
    const handshake = action === 'TLS handshake' || decision.code.startsWith('tls.');
    return {
      category_uid: 3,
      category_name: 'Identity & Access Management',
      class_uid: 3002,
      class_name: 'Authentication',
      activity_id: 1,
      activity_name: 'Logon',
      type_uid: 300201,
      ...common(decision),
      ...(handshake
        ? ({ auth_protocol_id: 99, auth_protocol: 'TLS' } as const)
        : ({ auth_protocol_id: 6, auth_protocol: 'OAUTH 2.0' } as const)),
      is_remote: true,
      service: { name: service },
      user,
      ...session,
    };
  }
  const [method = ''] = action.split(' ', 1);
  const activity = ACTIVITY_OF_METHOD[method] ?? ({ activity_id: 99, activity_name: action } as const);
  const authorizations = decision.policies?.map((uid) => ({ decision: decision.decision, policy: { uid } }));
  return {
    category_uid: 6,
    category_name: 'Application Activity',
    class_uid: 6003,
    class_name: 'API Activity',
    ...activity,
    type_uid: 600300 + activity.activity_id,
    ...common(decision),
    api: { operation: action, service: { name: service } },
    actor: { user, ...session, ...(authorizations?.length ? { authorizations } : {}) },
  };
}

function isAuthentication({ service, action, code }: Decision): boolean {
  return service === 'token' || action === 'TLS handshake' || code.startsWith('tls.');
}

function common(decision: Logged) {
  const { id, code, detail, count, thumbprint, tokenId, latencyMs, policies, traceId } = decision;
  const allowed = decision.decision === 'allow';
  const time = Date.parse(decision.at);
  return {
    ...severityOf(decision),
    ...(allowed ? ({ status_id: 1, status: 'Success' } as const) : ({ status_id: 2, status: 'Failure' } as const)),
    status_code: code,
    ...(detail === undefined ? {} : { status_detail: detail }),
    message: `${decision.service} ${allowed ? 'allowed' : 'refused'} ${decision.action}: ${code}`,
    time,
    start_time: Date.parse(decision.since),
    end_time: time,
    count,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Outrider', vendor_name: 'Outrider' },
      log_name: 'decisions',
      event_code: code,
      uid: id,
      ...(traceId === undefined ? {} : { correlation_uid: traceId }),
    },
    src_endpoint: sourceOf(decision.remoteAddress),
    dst_endpoint: { svc_name: decision.service, instance_uid: decision.instance },
    unmapped: {
      listener: decision.listener,
      ...(thumbprint === undefined ? {} : { thumbprint }),
      ...(tokenId === undefined ? {} : { token_id: tokenId }),
      ...(latencyMs === undefined ? {} : { latency_ms: latencyMs }),
      ...(policies === undefined ? {} : { policies }),
    },
  } as const;
}

function severityOf({ decision, code }: Decision): Severity {
  if (decision === 'allow') return SEVERITIES.informational;
  return HIGH.test(code) ? SEVERITIES.high : MEDIUM.test(code) ? SEVERITIES.medium : SEVERITIES.low;
}

/** Several sources counted together have no address. IPv4 as itself, also where a dual-stack socket told of it. */
function sourceOf(remoteAddress: string | undefined): OcsfDecision['src_endpoint'] {
  if (remoteAddress === undefined || remoteAddress === 'unknown') return { name: 'unknown' };
  return { ip: remoteAddress.replace(/^::ffff:(?=[0-9]+\.)/, '') };
}
