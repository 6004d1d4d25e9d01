/** Whether a certificate request belongs to the TLS connection it came by (RFC 7030 §3.5, RFC 9266). */
import { timingSafeEqual } from 'node:crypto';
import { DomainError } from '@outrider/errors';

interface ChannelBinding {
  readonly type: string;
  readonly value: Uint8Array;
}

/**
 * The challenge password is the base64 of the connection's binding. Where there is one it is always checked: a wrong one is somebody
 * else's request, whatever the label demands.
 * @param bindingOf the connection's, asked only where it matters; undefined where it has none (it ends at a proxy): nothing can match then.
 * @throws DomainError `est.channel_binding_required`, `est.channel_binding_wrong`
 */
export function checkChannelBinding(
  challengePassword: string | undefined,
  demanded: 'required' | 'optional',
  bindingOf: () => ChannelBinding | undefined,
): void {
  if (challengePassword === undefined) {
    if (demanded === 'optional') return;
    throw new DomainError('est.channel_binding_required', { detail: named(bindingOf()) });
  }
  const expected = bindingOf();
  const said = Buffer.from(challengePassword.replace(/\s/g, ''), 'base64');
  if (expected && said.length === expected.value.length && timingSafeEqual(said, expected.value)) return;
  throw new DomainError('est.channel_binding_wrong', { detail: named(expected) });
}

function named(expected: ChannelBinding | undefined): string {
  return expected ? `challengePassword: base64 of ${expected.type}` : 'the connection has no channel binding';
}
