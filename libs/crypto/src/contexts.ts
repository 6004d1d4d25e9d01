/** One key, several uses: the context inside each form of signed bytes, so that no message can be taken for another. */

/** `typ` of the JOSE header, compared exactly: no `application/` prefix, no other case. */
export const JWS_TYP = {
  /** vehicle -> telemetry: one message, for devices that speak JWS */
  telemetry: 'outrider-telemetry+jws',
  /** command service -> vehicle: a command (control CA's signer, x5c) */
  command: 'outrider-command+jws',
  /** vehicle -> command service: what became of a command */
  outcome: 'outrider-outcome+jws',
  /** service -> fleet-ca: a request to sign something */
  request: 'outrider-request+jws',
  /** gateway -> services: the policies and geofences in force */
  policies: 'outrider-policies+jws',
  /** telemetry -> vehicle: what the platform answered to a request */
  receipt: 'outrider-receipt+jws',
  /** telemetry -> auditor: the manifest of an export */
  export: 'outrider-export+jws',
  /** token service -> vehicle or operator: an access token (RFC 9068 §2.1) */
  accessToken: 'at+jwt',
  /** service account -> token service: who asks (RFC 7523) */
  clientAuthentication: 'client-authentication+jwt',
  /** vehicle -> any listener: a proof of possession (RFC 9449 §4.2) */
  dpop: 'dpop+jwt',
} as const;
export type JwsTyp = (typeof JWS_TYP)[keyof typeof JWS_TYP];

/** `external_aad` of COSE_Sign1 (RFC 9052 §4.4), as UTF-8 bytes. */
export const COSE_EXTERNAL_AAD = {
  telemetry: 'outrider/telemetry/v1',
  telemetryBatch: 'outrider/telemetry-batch/v1',
  logSegment: 'outrider/log-segment/v1',
  command: 'outrider/command/v1',
} as const;
export type CoseExternalAad = (typeof COSE_EXTERNAL_AAD)[keyof typeof COSE_EXTERNAL_AAD];

/**
 * Member `typ` of a JCS-signed object. A single telemetry message is the one form without: its strict schema has neither `typ` nor
 * `records`, so neither can be taken for the other.
 */
export const JCS_TYP = {
  telemetryBatch: 'outrider/telemetry-batch/v1',
  logSegment: 'outrider/log-segment/v1',
  /** vehicle -> telemetry: these segments of my log answer that fetch order */
  logDelivery: 'outrider/log-delivery/v1',
} as const;
export type JcsTyp = (typeof JCS_TYP)[keyof typeof JCS_TYP];
