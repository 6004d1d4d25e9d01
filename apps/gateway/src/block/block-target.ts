/** What can be blocked, and how it is called: in a body, in the table, on the denylist. */
import { parseNetwork } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { DeviceId, type JwtId, type Thumbprint } from '@outrider/ids';

/** `value`: device id, thumbprint of a certificate, CIDR in its one spelling, jti. */
export type BlockTarget =
  | { readonly kind: 'device'; readonly value: DeviceId }
  | { readonly kind: 'certificate'; readonly value: Thumbprint }
  | { readonly kind: 'network'; readonly value: string }
  | { readonly kind: 'token'; readonly value: JwtId };
export type BlockKind = BlockTarget['kind'];
export const BLOCK_KINDS = ['device', 'certificate', 'network', 'token'] as const satisfies readonly BlockKind[];

/** The members of a body that name a target. */
export interface NamedTargets {
  readonly device_id?: DeviceId | undefined;
  readonly thumbprint?: Thumbprint | undefined;
  readonly network?: string | undefined;
  readonly token_id?: JwtId | undefined;
}

/** Wider than these is nobody's network: it would take the fleet, and the operators with it. */
const WIDEST = { 32: 8, 128: 24 } as const;

/**
 * The one target that is named. A thumbprint beside a device is a check of it, not a target.
 * @throws DomainError `gateway.target_missing`, `request.invalid`, `gateway.network_refused`
 */
export function targetOf({ device_id, thumbprint, network, token_id }: NamedTargets): BlockTarget {
  const named: BlockTarget[] = [];
  if (device_id !== undefined) named.push({ kind: 'device', value: device_id });
  else if (thumbprint !== undefined) named.push({ kind: 'certificate', value: thumbprint });
  if (network !== undefined) named.push({ kind: 'network', value: networkText(network) });
  if (token_id !== undefined) named.push({ kind: 'token', value: token_id });
  const [target, ...others] = named;
  if (!target)
    throw new DomainError('gateway.target_missing', { detail: 'device_id, thumbprint, network or token_id' });
  if (others.length > 0) throw new DomainError('request.invalid', { detail: 'name one target' });
  return target;
}

/**
 * An address or a CIDR as it is always written: host bits cleared, with its prefix.
 * @throws DomainError `request.invalid`, `gateway.network_refused`
 */
export function networkText(text: string): string {
  const network = parseNetwork(text);
  if (!network) throw new DomainError('request.invalid', { detail: 'network: an address or a CIDR' });
  const { bits, number, prefix } = network;
  if (prefix < WIDEST[bits])
    throw new DomainError('gateway.network_refused', { detail: `wider than /${WIDEST[bits]}` });
  return `${bits === 32 ? v4Text(number) : v6Text(number)}/${prefix}`;
}

function v4Text(number: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => Number((number >> shift) & 0xffn)).join('.');
}

/** RFC 5952, as every URL has it. */
function v6Text(number: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => (number >> BigInt(112 - index * 16)) & 0xffffn);
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`).hostname.slice(1, -1);
}

/** The table's key: a device by its id alone; no device id has a colon. */
export function nameOf({ kind, value }: BlockTarget): string {
  return kind === 'device' ? value : `${kind}:${value}`;
}

/** The reverse of `nameOf`. Throws a plain error for what it never made. */
export function targetNamed(kind: BlockKind, name: string): BlockTarget {
  if (kind === 'device') return { kind, value: DeviceId.parse(name) };
  if (!name.startsWith(`${kind}:`)) throw new Error(`${name} names no ${kind}`);
  return { kind, value: name.slice(kind.length + 1) } as BlockTarget;
}

/** As bodies and answers name it. */
export function membersOf({ kind, value }: BlockTarget): NamedTargets {
  switch (kind) {
    case 'device':
      return { device_id: value };
    case 'certificate':
      return { thumbprint: value };
    case 'network':
      return { network: value };
    case 'token':
      return { token_id: value };
  }
}
