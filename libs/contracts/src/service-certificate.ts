/** How services have their own certificates renewed: each asks for itself alone, on a subject that nobody else may publish to. */
import { SERVICES, type Service } from '@outrider/ids';
import { z } from 'zod';
import { type RequestContract, request } from './contract.js';
import { DerBase64, ServiceRequestJws } from './values.js';

const Payload = z.strictObject({ request: ServiceRequestJws });
const Reply = z.strictObject({
  certificate: DerBase64,
  /** The infrastructure CA that signed it. */
  issuer: DerBase64,
});

/** What the JWS by the key of the present certificate carries; `aud` is the subject of the service that asks. */
export const ServiceCertificateRequest = z.strictObject({
  aud: z.string().max(128),
  /** Seconds since the epoch. */
  iat: z.int(),
  /** The same again gets the same certificate. */
  requestId: z.uuid(),
  /** Of a new key; only the key counts. */
  csr: DerBase64,
});
export type ServiceCertificateRequest = z.infer<typeof ServiceCertificateRequest>;

/** The `aud` of that request; fleet-ca's own never travels. */
export function renewalSubject(service: Service): string {
  return `ca.${service.replaceAll('-', '_')}_certificate.renew.v1`;
}

/** One contract a service, so that NATS holds each of them to its own name; all but fleet-ca, which asks itself. */
export const SERVICE_CERTIFICATE_RENEWALS: readonly RequestContract<typeof Payload, typeof Reply>[] = SERVICES.filter(
  (service) => service !== 'fleet-ca',
).map((service) =>
  request({ subject: renewalSubject(service), from: [service], to: 'fleet-ca', payload: Payload, reply: Reply }),
);

/** Throws a plain error for fleet-ca: that is a bug. */
export function serviceCertificateRenew(service: Service): RequestContract<typeof Payload, typeof Reply> {
  const contract = SERVICE_CERTIFICATE_RENEWALS.find(({ from }) => from[0] === service);
  if (!contract) throw new Error(`${service} asks nobody for its certificate`);
  return contract;
}
