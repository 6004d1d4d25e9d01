/** What a request says about a second holder of its key or identity, beside whatever is decided on it. */
import { since } from '../certificate/certificate.js';
import type { Device } from '../device/device.js';
import { clones } from '../finding/clone.js';
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

export function factoryKeyOf({ client }: Pick<Ask, 'client'>): string | undefined {
  return client.kind === 'factory' ? client.certificate.keyThumbprint : undefined;
}
