import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { CommandId, DeviceId, TrustDomain } from '@outrider/ids';
import { parseCertificate } from '@outrider/x509';
import { type Counter, isCritical } from './command.js';
import { fromCose, requestHash } from './signed-command.js';
import { verifyCommand } from './verify.js';

/** One file a case under `vectors/command`, made by another implementation (`vectors/command.py`). */
interface Vector {
  readonly description: string;
  readonly fleet_root: string;
  readonly vehicle: {
    readonly now: number;
    readonly device_id: string;
    readonly trust_domain: string;
    readonly offered_id: string;
    readonly last?: Counter;
    readonly nonce?: string;
    /** By the vehicle's clock; `now` where it is not said. */
    readonly nonce_made_at?: number;
    readonly stored?: string;
    readonly critical: readonly string[];
  };
  readonly jws?: string;
  readonly cose?: string;
  readonly expected: string;
}

const folder = new URL('../../../../vectors/command/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const files = readdirSync(folder);
const commands = files.filter((name) => !name.startsWith('outcome-'));
const outcomes = files.filter((name) => name.startsWith('outcome-good'));

describe('vectors/command', () => {
  test('there are enough of them', () => {
    expect(commands.length).toBeGreaterThan(40);
  });

  test.each(commands)('%s', (name) => {
    const { vehicle, expected, fleet_root, jws, cose } = read(name) as Vector;
    const text = (message: string) => (cose === undefined ? message : fromCose(message));
    const verdict = verifyCommand(text(cose ?? jws!), {
      now: new Date(vehicle.now * 1000),
      deviceId: DeviceId.parse(vehicle.device_id),
      trustDomain: TrustDomain.parse(vehicle.trust_domain),
      fleetRoots: [parseCertificate(fleet_root)],
      offeredId: CommandId.parse(vehicle.offered_id),
      last: vehicle.last,
      nonce:
        vehicle.nonce === undefined
          ? undefined
          : { nonce: vehicle.nonce, madeAt: new Date((vehicle.nonce_made_at ?? vehicle.now) * 1000) },
      stored: vehicle.stored === undefined ? undefined : text(vehicle.stored),
      isCritical: (command) => vehicle.critical.includes(command),
    });
    expect(verdict.kind === 'refuse' ? `refuse ${verdict.why}` : verdict.kind).toBe(expected);
    expect(vehicle.critical.every(isCritical)).toBe(true);
  });

  test.each(outcomes)('%s: the agent answers over the same hash', (name) => {
    const { command, outcome } = read(name) as { command: { jws?: string; cose?: string }; outcome: string };
    const signed = command.cose === undefined ? command.jws! : fromCose(command.cose);
    const { request_hash } = JSON.parse(Buffer.from(outcome.split('.')[1]!, 'base64url').toString());
    expect(requestHash(signed)).toBe(request_hash);
  });
});
