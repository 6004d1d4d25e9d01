/** Makes factory identities for simulated vehicles where there are none, and registers them with the platform. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceId } from '@outrider/ids';
import { DEMO_MANUFACTURER, factorySerialNumber, makeFactoryIdentity } from '@outrider/x509';
import { z } from 'zod';
import { readFileIfThere, writeFileDurably } from '../agent/durable-file.store.js';
import type { Platform } from '../endpoints/endpoints.store.js';
import { VehicleClient } from '../http/vehicle.client.js';

const IMPORT_AT_ONCE = 100;
const Results = z.object({
  results: z.array(z.object({ device_id: z.string(), status: z.number(), code: z.string().optional() })),
});

/** Writes `factory.crt`, `factory.key`, `chain.pem` for each vehicle that has none; true for those it made. */
export async function ensureFactoryIdentity(id: DeviceId, directory: string, platform: Platform): Promise<boolean> {
  if ((await readFileIfThere(join(directory, 'factory.crt'))) !== undefined) return false;
  if (!platform.factory)
    throw new Error('endpoints.json names no demo manufacturer: give vehicles that have identities');
  const [certificate, privateKey] = await Promise.all([
    readFile(platform.factory.ca, 'utf8'),
    readFile(platform.factory.key, 'utf8'),
  ]);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = await makeFactoryIdentity(id, { certificate, privateKey }, keys, serialBytes(), new Date());
  await writeFileDurably(join(directory, 'factory.key'), made.privateKey);
  await writeFileDurably(join(directory, 'chain.pem'), made.chain);
  await writeFileDurably(join(directory, 'factory.crt'), made.certificate);
  return true;
}

/** Registers demo vehicles through the operator API; registering one again with the same properties changes nothing. */
export async function registerVehicles(
  ids: readonly DeviceId[],
  platform: Platform,
  warn: (words: string) => void,
): Promise<void> {
  const { provisioningOperator, operatorTokenFile, serverTrust } = platform;
  if (!provisioningOperator || !operatorTokenFile) throw new Error('endpoints.json names no operator access');
  const client = new VehicleClient(serverTrust, undefined);
  try {
    for (let from = 0; from < ids.length; from += IMPORT_AT_ONCE) {
      const devices = ids.slice(from, from + IMPORT_AT_ONCE).map((id) => ({
        device_id: id,
        manufacturer: DEMO_MANUFACTURER,
        serial_number: factorySerialNumber(id),
        labels: ['simulated'],
        grants: ['command:receive', 'command:critical'],
      }));
      const token = (await readFile(operatorTokenFile, 'utf8')).trim();
      const answer = await client.send(`${provisioningOperator}/v1/devices`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ devices }),
        timeoutMs: 30_000,
      });
      if (answer.status >= 300) throw new Error(`registering vehicles: ${answer.status} ${answer.body.slice(0, 300)}`);
      for (const result of Results.parse(JSON.parse(answer.body)).results) {
        // Someone changed what we registered: theirs stands, and enrolment will tell whether it fits.
        if (result.status >= 400) warn(`${result.device_id}: ${result.code ?? result.status}, left as it is`);
      }
    }
  } finally {
    await client.close();
  }
}

/** 128 bits of which the first is set: whatever they are, they encode to 16 bytes. */
function serialBytes(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) | 0x40;
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes;
}
