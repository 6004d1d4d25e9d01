/**
 * Run in a process of its own, since a PKCS#11 library reads its configuration from the environment:
 *   token-trial.fixture.js MODULE TOKEN_LABEL PIN_FILE KEY_LABEL
 * Uses the key of that label in every way that matters, tries to get it out, loses its session, and prints what it saw.
 */
import { createPublicKey, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CaKey } from './ca-key.js';
import { CK, type Cryptoki, loadCryptoki } from './cryptoki.provider.js';
import { Pkcs11Token } from './pkcs11-token.provider.js';

const [module = '', tokenLabel = '', pinFile = '', label = ''] = process.argv.slice(2);
const place = { module, tokenLabel, pinFile };
const token = new Pkcs11Token(place);
const message = Buffer.from('to be signed');

function holds({ spkiDer, algorithm }: CaKey, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.from(spkiDer), format: 'der', type: 'spki' });
  return verify(algorithm === 'P-256' ? 'sha256' : 'sha384', message, key, signature);
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return `${(error as { code?: unknown }).code} ${(error as { detail?: string }).detail ?? (error as Error).message}`;
  }
}

/** A session beside the token's own, as another program that knows the PIN would have it. */
function intruder(): { driver: Cryptoki; session: Buffer; key: Buffer } {
  const driver = loadCryptoki(module);
  const slot = driver.C_GetSlotList(true).find((each) => driver.C_GetTokenInfo(each).label.trim() === tokenLabel);
  const session = driver.C_OpenSession(slot as Buffer, CK.rwSerialSession);
  driver.C_FindObjectsInit(session, [
    { type: CK.class, value: CK.privateKeyObject },
    { type: CK.label, value: label },
  ]);
  const [key] = driver.C_FindObjects(session, 1);
  driver.C_FindObjectsFinal(session);
  return { driver, session, key: key as Buffer };
}

const key = token.openKey(label);
const p384 = token.generate('trial-p384', 'P-384');
const signatures = await Promise.all([key, p384, key].map(async (each) => holds(each, await each.sign(message))));
const again = await refusal(() => token.generate('trial-p384', 'P-384'));

const { driver, session, key: handle } = intruder();
const exported = await refusal(() => driver.C_GetAttributeValue(session, handle, [{ type: CK.value }]));
const attributes = [CK.sensitive, CK.extractable, CK.alwaysSensitive, CK.neverExtractable, CK.local];
const flags = driver
  .C_GetAttributeValue(
    session,
    handle,
    attributes.map((type) => ({ type })),
  )
  .map(({ value }) => value[0] === 1);

// How long the event loop stands still while 200 signatures are made.
let longestMs = 0;
let last = performance.now();
const timer = setInterval(() => {
  longestMs = Math.max(longestMs, performance.now() - last - 1);
  last = performance.now();
}, 1);
const begun = performance.now();
await Promise.all(Array.from({ length: 200 }, () => key.sign(message)));
const signMs = (performance.now() - begun) / 200;
clearInterval(timer);
const tooMany = await Promise.allSettled(Array.from({ length: 300 }, () => key.sign(message)));
const refused = tooMany.filter(({ status }) => status === 'rejected').length;

// The session goes away under us: the key works on, by a new one.
(driver as Cryptoki & { C_CloseAllSessions(slot: Buffer): void }).C_CloseAllSessions(
  driver.C_GetSlotList(true).find((each) => driver.C_GetTokenInfo(each).label.trim() === tokenLabel) as Buffer,
);
const afterLoss = holds(key, await key.sign(message));

// A PIN that is wrong is tried once.
const other = new Pkcs11Token({ ...place, pinFile: `${pinFile}.wrong` });
writeFileSync(`${pinFile}.wrong`, 'not the PIN');
driver.C_Finalize();
const wrongPin = [await refusal(() => other.openKey(label)), await refusal(() => other.openKey(label))];
const lost = await refusal(() => new Pkcs11Token({ ...place, tokenLabel: 'elsewhere' }).openKey(label));
await sleep(0);
const result = { signatures, again, exported, flags, longestMs, signMs, refused, afterLoss, wrongPin, lost };
process.stdout.write(`${JSON.stringify(result)}\n`);
