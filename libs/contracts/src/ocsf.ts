/** A decision in the shape of the Open Cybersecurity Schema Framework 1.5.0: API Activity (6003) or Authentication (3002). */
import { z } from 'zod';

export const OCSF_VERSION = '1.5.0';

const Named = z.strictObject({ name: z.string() });
const Millis = z.int().nonnegative();

const User = z.strictObject({
  uid: z.string().optional(),
  name: z.string().optional(),
  type_id: z.int(),
  type: z.string(),
  /** The thumbprint of the certificate. */
  credential_uid: z.string().optional(),
});

/** What both classes say alike. */
const common = {
  activity_name: z.string(),
  severity_id: z.int().min(1).max(4),
  severity: z.string(),
  status_id: z.literal([1, 2]),
  status: z.enum(['Success', 'Failure']),
  /** Our code, or `ok`. */
  status_code: z.string(),
  status_detail: z.string().optional(),
  message: z.string(),
  time: Millis,
  start_time: Millis,
  end_time: Millis,
  count: z.int().positive(),
  metadata: z.strictObject({
    version: z.literal(OCSF_VERSION),
    product: z.strictObject({ name: z.string(), vendor_name: z.string() }),
    log_name: z.string(),
    event_code: z.string(),
    /** Of the decision in the log: what comes twice has it twice. */
    uid: z.string(),
    correlation_uid: z.string().optional(),
  }),
  src_endpoint: z.strictObject({ ip: z.string().optional(), name: z.string().optional() }),
  dst_endpoint: z.strictObject({ svc_name: z.string(), instance_uid: z.string() }),
  unmapped: z.strictObject({
    listener: z.string(),
    thumbprint: z.string().optional(),
    token_id: z.string().optional(),
    latency_ms: z.number().optional(),
    policies: z.array(z.string()).optional(),
  }),
} as const;

const Authorization = z.strictObject({ decision: z.string(), policy: z.strictObject({ uid: z.string() }) });

export const OcsfApiActivity = z.strictObject({
  category_uid: z.literal(6),
  category_name: z.string(),
  class_uid: z.literal(6003),
  class_name: z.literal('API Activity'),
  activity_id: z.literal([1, 2, 3, 4, 99]),
  type_uid: z.int(),
  ...common,
  api: z.strictObject({ operation: z.string(), service: Named }),
  actor: z.strictObject({
    user: User,
    session: z.strictObject({ uid: z.string() }).optional(),
    authorizations: z.array(Authorization).optional(),
  }),
});

export const OcsfAuthentication = z.strictObject({
  category_uid: z.literal(3),
  category_name: z.string(),
  class_uid: z.literal(3002),
  class_name: z.literal('Authentication'),
  activity_id: z.literal(1),
  type_uid: z.literal(300201),
  ...common,
  auth_protocol_id: z.literal([6, 99]),
  auth_protocol: z.string(),
  is_remote: z.literal(true),
  service: Named,
  user: User,
  session: z.strictObject({ uid: z.string() }).optional(),
});

export const OcsfDecision = z.union([OcsfApiActivity, OcsfAuthentication]);
export type OcsfDecision = z.infer<typeof OcsfDecision>;
