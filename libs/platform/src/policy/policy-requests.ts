/** Puts what policies are asked in the words of their schema (policies/schema.cedarschema). */
import { ACR } from '@outrider/admission';
import type { DeviceContext } from '@outrider/contracts';
import { localTime, type PolicyEntity, type PolicyRequest, type PolicyValue } from '@outrider/policy';

/** What a policy may know of an operator. */
export interface OperatorAttributes {
  readonly roles: readonly string[];
  /** Signed in with a second factor. */
  readonly secondFactor: boolean;
  /** Holds an approved elevation. */
  readonly elevated: boolean;
}

/** Of an operator's token. */
export interface OperatorWord {
  readonly roles: readonly string[];
  readonly acr?: string | undefined;
  readonly elevation?: string | undefined;
}

export function operatorAttributes({ roles, acr, elevation }: OperatorWord): OperatorAttributes {
  return { roles: [...roles], secondFactor: acr === ACR.mfa, elevated: elevation !== undefined };
}

/** `remoteControl`: it moves something on the vehicle. `recovery`: a quarantined vehicle may have it; absent where it may not. */
export interface CommandWord {
  readonly name: string;
  readonly critical: boolean;
  readonly remoteControl: boolean;
  readonly recovery?: true;
}

export function controlTokenRequest(
  deviceId: string,
  scopes: readonly string[],
  context: DeviceContext,
  now: Date,
): PolicyRequest {
  const vehicle = vehicleEntity(deviceId, context);
  return {
    principal: vehicle,
    action: 'issue_control_token',
    resource: vehicle,
    context: { scopes: [...scopes], ...circumstances(context, now) },
  };
}

/** `subject`: `op:<uuid>`. */
export function dispatchRequest(
  subject: string,
  operator: OperatorAttributes,
  command: CommandWord,
  deviceId: string,
  context: DeviceContext,
  now: Date,
): PolicyRequest {
  return {
    principal: operatorEntity(subject, operator),
    action: 'dispatch_command',
    resource: vehicleEntity(deviceId, context),
    context: { command: { ...command }, ...circumstances(context, now) },
  };
}

/** `context`: undefined where nobody could say what is known of the vehicle. */
export function outOfServiceRequest(
  action: 'block' | 'unblock' | 'revoke',
  subject: string,
  operator: OperatorAttributes,
  deviceId: string,
  context: DeviceContext | undefined,
  now: Date,
): PolicyRequest {
  return {
    principal: operatorEntity(subject, operator),
    action,
    resource: vehicleEntity(deviceId, context ?? NOTHING_KNOWN),
    context: circumstances(context ?? NOTHING_KNOWN, now),
  };
}

/**
 * Somebody is about to be given a right for a time. `approver`: by the token; `requester`: the account that is elevated. Neither is in a
 * vehicle: the local time is UTC's.
 */
export function elevateRequest(
  approver: { readonly subject: string; readonly operator: OperatorAttributes },
  requester: { readonly subject: string; readonly roles: readonly string[] },
  { scope, durationSeconds }: { readonly scope: string; readonly durationSeconds: number },
  now: Date,
): PolicyRequest {
  const { hour, minuteOfDay, weekday } = localTime(now, 'UTC');
  return {
    principal: operatorEntity(approver.subject, approver.operator),
    action: 'elevate',
    resource: { type: 'Account', id: requester.subject, attributes: { roles: [...requester.roles] } },
    context: { scope, durationSeconds, local: { hour, minuteOfDay, weekday } },
  };
}

/** `state`: a word that the registry has not. */
type VehicleWord = Omit<DeviceContext, 'state'> & { readonly state: DeviceContext['state'] | 'unknown' };

const NOTHING_KNOWN: VehicleWord = {
  state: 'unknown',
  attestation: 'none',
  labels: [],
  timeZone: 'UTC',
  geofences: [],
  outsideGeofence: false,
};

function operatorEntity(id: string, { roles, secondFactor, elevated }: OperatorAttributes): PolicyEntity {
  return { type: 'Operator', id, attributes: { roles, secondFactor, elevated } };
}

function vehicleEntity(id: string, { state, attestation, labels }: VehicleWord): PolicyEntity {
  return { type: 'Vehicle', id, attributes: { state, attestation, labels } };
}

function circumstances(context: VehicleWord, now: Date): Record<string, PolicyValue> {
  const { hour, minuteOfDay, weekday } = localTime(now, context.timeZone);
  const { telemetryAgeSeconds, speedKmh, health, attestationAgeSeconds, geofences, outsideGeofence } = context;
  const known = { telemetryAgeSeconds, speedKmh, health, attestationAgeSeconds };
  const vehicle: Record<string, PolicyValue> = { geofences, outsideGeofence };
  for (const [name, value] of Object.entries(known)) if (value !== undefined) vehicle[name] = value;
  return { local: { hour, minuteOfDay, weekday }, vehicle };
}
