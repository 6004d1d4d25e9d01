import { SetMetadata } from '@nestjs/common';
import type { OperatorScope, StepUp } from '@outrider/admission';

/** Metadata key: how a route admits its callers. */
export const ADMISSION = Symbol('outrider:admission');

/** What a route asks of its caller. A vehicle or operator route without any of these is refused, and the service does not start. */
export type AdmissionRule =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'certificate'; readonly recovery: boolean }
  | {
      readonly kind: 'token';
      readonly scopes: readonly string[];
      readonly control: boolean;
      readonly recovery: boolean;
    }
  | {
      readonly kind: 'operator';
      readonly scope: OperatorScope;
      readonly stepUp: StepUp;
      readonly unlimited: boolean;
    };

/** No client certificate and no token needed: EST cacerts, JWKS, health, CRL. The network denylist still holds. */
export function AdmitAnyone(): MethodDecorator {
  return SetMetadata(ADMISSION, { kind: 'anyone' } satisfies AdmissionRule);
}

/** A client certificate that the listener's anchors validate and the denylist does not name; no token. `recovery`: open to a device in recovery mode. */
export function AdmitCertificate({ recovery = false } = {}): MethodDecorator {
  return SetMetadata(ADMISSION, { kind: 'certificate', recovery } satisfies AdmissionRule);
}

/** A vehicle's certificate and an access token bound to it with one of `scopes`. `control`: fails closed on a stale feed after 5 s; `recovery`: open to a device in recovery mode. */
export function AdmitToken(rule: {
  scopes: readonly string[];
  control?: boolean;
  recovery?: boolean;
}): MethodDecorator {
  return SetMetadata(ADMISSION, { kind: 'token', control: false, recovery: false, ...rule } satisfies AdmissionRule);
}

/**
 * A bearer operator token with `scope`, and of the sign-in that `stepUp` asks for: else RFC 9470's challenge. `unlimited`: counts against
 * no account's rate, for what takes out of service.
 */
export function RequireOperator(
  scope: OperatorScope,
  stepUp: StepUp = {},
  { unlimited = false } = {},
): MethodDecorator {
  return SetMetadata(ADMISSION, { kind: 'operator', scope, stepUp, unlimited } satisfies AdmissionRule);
}
