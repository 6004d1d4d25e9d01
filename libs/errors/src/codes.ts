/** The one table code -> HTTP status, title, retry. One file a context under `codes/`; codes are stable. */
import { AUTH_CODES } from './codes/auth.js';
import { CA_CODES } from './codes/ca.js';
import { COMMAND_CODES } from './codes/command.js';
import { DEVICE_IMPORT_CODES } from './codes/device-import.js';
import { ELEVATION_CODES } from './codes/elevation.js';
import { GATEWAY_CODES } from './codes/gateway.js';
import { OPERATOR_CODES } from './codes/operator.js';
import { POLICY_CODES } from './codes/policy.js';
import { PROVISIONING_CODES } from './codes/provisioning.js';
import { REQUEST_CODES } from './codes/request.js';
import { REVOCATION_CODES } from './codes/revocation.js';
import { SIGN_IN_CODES } from './codes/sign-in.js';
import { TELEMETRY_CODES } from './codes/telemetry.js';
import { TOKEN_CODES } from './codes/token.js';
import { X509_CODES } from './codes/x509.js';

export const CODES = {
  ...REQUEST_CODES,
  ...AUTH_CODES,
  ...X509_CODES,
  ...CA_CODES,
  ...PROVISIONING_CODES,
  ...DEVICE_IMPORT_CODES,
  ...TOKEN_CODES,
  ...SIGN_IN_CODES,
  ...TELEMETRY_CODES,
  ...COMMAND_CODES,
  ...REVOCATION_CODES,
  ...GATEWAY_CODES,
  ...POLICY_CODES,
  ...ELEVATION_CODES,
  ...OPERATOR_CODES,
} as const;

export type ErrorCode = keyof typeof CODES;
