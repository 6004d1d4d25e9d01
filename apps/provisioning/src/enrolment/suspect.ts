/** What a request says about a second holder of its key or identity, beside whatever is decided on it. */
import { since } from '../certificate/certificate.js';
import type { Device } from '../device/device.js';
import { clones, revokedIdentityUsed } from '../finding/clone.js';
import type { CloneMemory } from '../finding/clone-memory.js';
import type { Finding } from '../finding/finding.js';
import type { Ask } from './ask.js';
import type { WorkingSet } from './working-set.js';

export function suspect(
  ask: Ask,
  { deviceId, recoveredAt }: Pick<Device, 'deviceId' | 'recoveredAt'>,
  set: WorkingSet,
  memory: CloneMemory,
  now: Date,
): Finding[] {
  const { operation, label, client, request, remoteAddress } = ask;
  const { holders, revoked } = set.keyUse(request.keyThumbprint, deviceId);
  const factoryKey = factoryKeyOf(ask);
  return clones(
    {
      operation,
      held: since(set.heldBy(deviceId), recoveredAt),
      presented: client.certificate.thumbprint,
      keyThumbprint: request.keyThumbprint,
      remoteAddress,
      lastAsk: memory.lastAsk(deviceId),
      keyHolders: holders,
      keyRevoked: revoked,
      presentedKeyHolders: factoryKey === undefined ? [] : memory.factoryKeyHolders(factoryKey, deviceId),
      lifetimeSeconds: label.policy.lifetimeSeconds,
    },
    now,
  );
}

/** @param code of the denylist's refusal; @param reason of its entry: what merely gave way to a successor was not revoked. */
export function suspectDenied(
  code: string,
  reason: string | undefined,
  ask: Ask,
  known: readonly Finding[],
): Finding[] {
  if (!REVOKED.has(code)) return [];
  if (known.length > 0 || reason === 'superseded') return [...known];
  const detail = `${code}: ${reason ?? 'out of service'}`;
  return [revokedIdentityUsed(ask.client.certificate.thumbprint, ask.remoteAddress, detail)];
}

const REVOKED = new Set(['denylist.certificate', 'denylist.serial', 'denylist.key']);

export function factoryKeyOf({ client }: Pick<Ask, 'client'>): string | undefined {
  return client.kind === 'factory' ? client.certificate.keyThumbprint : undefined;
}
