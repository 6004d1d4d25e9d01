import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { DeviceClaims, OperatorClaims } from '@outrider/admission';
import type { DeviceId } from '@outrider/ids';
import type { ParsedCertificate } from '@outrider/x509';
import type { FastifyRequest } from 'fastify';

/** On a route with `@AdmitCertificate()`. `deviceId`: of the certificate's SAN; a certificate of another kind names none. `recovery`: as below. */
export interface CertificateAdmission {
  readonly certificate: ParsedCertificate;
  readonly deviceId: DeviceId | undefined;
  readonly recovery: boolean;
}

/** On a route with `@AdmitToken()`. `recovery`: the device is on the denylist in recovery mode, and this route is open to it. */
export interface VehicleAdmission {
  readonly certificate: ParsedCertificate;
  readonly deviceId: DeviceId;
  readonly claims: DeviceClaims;
  readonly recovery: boolean;
}

/** On a route with `@RequireOperator()`. `subject`: `op:<uuid>`. */
export interface OperatorAdmission {
  readonly subject: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly claims: OperatorClaims;
}

export type Admission = CertificateAdmission | VehicleAdmission | OperatorAdmission;

/** On the request itself: a weak map of short-lived keys is what a garbage collector likes least. */
const ADMITTED = Symbol('admitted');
const RECHECK = Symbol('recheck');

interface Judged {
  [ADMITTED]?: Admission;
  [RECHECK]?: () => void;
}

export function setAdmission(request: FastifyRequest, admission: Admission): void {
  (request as Judged)[ADMITTED] = admission;
}

/** What admission learned of a request's caller. Throws a plain error where the route asked for nobody: that is a bug. */
export function admissionOf(request: FastifyRequest): Admission {
  const admission = (request as Judged)[ADMITTED];
  if (!admission) throw new Error('a route that admits anyone asked who was admitted');
  return admission;
}

export function setRecheck(request: FastifyRequest, recheck: () => void): void {
  (request as Judged)[RECHECK] = recheck;
}

/**
 * Judges a request of a vehicle or an operator again, as the guard did: for one that waits or streams, before each thing that it hands
 * out. Token, denylist and the feed's age may have changed since. Throws what the guard would have thrown.
 */
export function requireStillAdmitted(request: FastifyRequest): void {
  const recheck = (request as Judged)[RECHECK];
  if (!recheck) throw new Error('a request that nobody was admitted with was judged again');
  recheck();
}

/**
 * Judges a vehicle's request again with another access token, by which it goes on from here. Throws what the guard would have thrown; the
 * request then goes on by the token that it has.
 */
export function readmit(request: FastifyRequest, authorization: string): Admission {
  const before = request.headers.authorization;
  request.headers.authorization = authorization;
  try {
    requireStillAdmitted(request);
  } catch (error) {
    if (before !== undefined) request.headers.authorization = before;
    throw error;
  }
  return admissionOf(request);
}

/** Parameter decorator: `@Admitted() admission: VehicleAdmission`, the kind that the route's rule gives. */
export const Admitted = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  admissionOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
