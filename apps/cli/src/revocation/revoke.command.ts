/** `revoke`: take a certificate, or all of a device, out of service for good. */
import { Command } from 'commander';
import { z } from 'zod';
import { StillPending, UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';

interface RevokeOptions {
  readonly serial?: string;
  readonly thumbprint?: string;
  readonly device?: string;
  readonly reason: string;
  readonly force: boolean;
  readonly waitEnforced: boolean;
}

const Enforcer = z.looseObject({
  instance: z.string(),
  ms: z.number().optional(),
  failsClosedAt: z.string().optional(),
});
const Answer = z.looseObject({
  revoked: z.array(z.looseObject({})).default([]),
  enforcedBy: z.array(Enforcer).default([]),
  pending: z.array(Enforcer).default([]),
});

export function revokeCommand(): Command {
  return new Command('revoke')
    .description('revoke a certificate, or every one of a device; there is no way back')
    .option('--serial <hex>', 'of the certificate')
    .option('--thumbprint <text>', 'of the certificate, base64url SHA-256')
    .option('--device <id>', 'all of its certificates')
    .requiredOption('--reason <reason>', 'of RFC 5280, e.g. key-compromise, superseded, cessation-of-operation')
    .option('--force', 'deny a certificate that nobody knows, too', false)
    .option('--wait-enforced', 'until every running instance enforces it', false)
    .action((options: RevokeOptions, command: Command) => inSession(command, (session) => revoke(session, options)));
}

async function revoke({ operator, output }: Session, options: RevokeOptions): Promise<void> {
  const { serial, thumbprint, device, reason, force, waitEnforced } = options;
  if (!serial && !thumbprint && !device)
    throw new UsageError('name what to revoke: --serial, --thumbprint or --device');
  const answer = Answer.parse(
    await operator.call('revocation', 'POST', '/revoke', {
      query: { wait: waitEnforced ? 'enforced' : undefined },
      body: { serial, thumbprint, device_id: device, reason, ...(force ? { force } : {}) },
      timeoutMs: 30_000,
    }),
  );
  if (output.json) output.record(answer);
  else {
    const certificates = answer.revoked.map((one) => [one.device_id, one.serial, one.thumbprint]);
    output.table(answer, ['DEVICE', 'SERIAL', 'THUMBPRINT'], certificates);
    for (const { instance, ms } of answer.enforcedBy) output.write(`enforced by ${instance} after ${ms} ms`);
    for (const { instance, failsClosedAt } of answer.pending)
      output.write(`pending: ${instance}, closed by ${failsClosedAt}`);
  }
  if (waitEnforced && answer.pending.length > 0)
    throw new StillPending(`${answer.pending.length} instances have not confirmed`);
}
