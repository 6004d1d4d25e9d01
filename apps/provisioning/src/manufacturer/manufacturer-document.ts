/** A manufacturer as operators see it. */
import { parseCertificates } from '@outrider/x509';

/** `ca`: PEM. */
export interface KeptManufacturer {
  readonly name: string;
  readonly ca: string;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

export function manufacturerDocument({ name, ca, createdAt, changedAt }: KeptManufacturer) {
  const authorities = parseCertificates(ca).map(({ subject, thumbprint, notAfter }) => ({
    subject: subject.text,
    thumbprint,
    not_after: notAfter.toISOString(),
  }));
  return { name, authorities, created_at: createdAt.toISOString(), changed_at: changedAt.toISOString() };
}
