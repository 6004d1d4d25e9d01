/** A running revocation with what jobs are opened, watched and measured by. */
import { randomBytes } from 'node:crypto';
import type { CertificateRef } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { type Revoking, startRevoking } from '../revoke/revoke.fixture.js';
import { type Answer, type PostOptions, until } from '../suite.fixture.js';

export const JOBS = '/v1/revocations/jobs';
/** By an operator whom a second person gave the elevation. */
export const bulk = (): PostOptions => ({ scope: 'ca:revoke ca:revoke-bulk' });

export type JobGround = Awaited<ReturnType<typeof startJobs>>;

export async function startJobs() {
  const ground: Revoking = await startRevoking();
  const { suite, admin } = ground;
  const show = (id: string) => suite.call('GET', `${JOBS}/${id}`, undefined, { scope: 'device:read' });
  return {
    ground,
    show,
    lines: (id: string, query = '') =>
      suite.call('GET', `${JOBS}/${id}/lines${query}`, undefined, { scope: 'device:read' }),
    put: (id: string, body: string, { query, ...options }: PostOptions & { query?: string } = {}) =>
      suite.call('PUT', `${JOBS}/${id}?${query ?? 'reason=cessationOfOperation'}`, body, {
        contentType: 'text/csv',
        ...options,
      }),
    /** The job once it is over. */
    over: async (id: string, state = 'done'): Promise<Answer['body']> => {
      let last: Answer['body'];
      await until(async () => {
        last = (await show(id)).body;
        return last.state === state;
      }, 60_000);
      return last;
    },
    /** The reasons of those that stand revoked, by thumbprint. */
    standing: async (thumbprints: readonly string[]) => {
      const sql = 'SELECT thumbprint, reason FROM revoked_certificates WHERE thumbprint = ANY($1)';
      return new Map((await admin.query(sql, [thumbprints])).rows.map((row) => [row.thumbprint, row.reason]));
    },
    /** Certificates that only the projection knows. */
    made: async (prefix: string, count: number, parts: Partial<CertificateRef> = {}): Promise<CertificateRef[]> => {
      const refs = Array.from({ length: count }, (_, n) => ({
        deviceId: DeviceId.parse(`${prefix}-${n}`),
        issuerKeyId: suite.fleet.vehicleCa.certificate.subjectKeyId ?? '',
        serialNumber: SerialNumber.parse(randomBytes(16).toString('hex')),
        thumbprint: Thumbprint.parse(base64url(32)),
        keyThumbprint: base64url(32),
        notBefore: new Date(Date.now() - 1000).toISOString(),
        notAfter: new Date(Date.now() + 3_600_000).toISOString(),
        ...parts,
      }));
      await ground.known(refs);
      return refs;
    },
    stop: () => ground.stop(),
  };
}

export function base64url(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
