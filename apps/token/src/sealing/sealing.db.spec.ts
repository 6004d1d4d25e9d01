/** A new key-encryption key takes over all that the one before sealed, and the old line may go. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { People } from '../person/people-with-factors.fixture.js';
import { codeOf, factor, password } from '../sign-in/people.fixture.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { until } from '../token.fixture.js';
import { Sealer } from './sealer.service.js';

const COMMAND = join(import.meta.dirname, '../sealed-secrets.command.js');
const NEW = randomBytes(32).toString('hex');

let people: People;
let keyFile: string;

beforeAll(async () => {
  people = await People.start();
  keyFile = people.ground.config.signingKeys.encryptionKeyFile;
}, 60_000);

afterAll(() => people?.stop());

type Person = Awaited<ReturnType<People['enrolled']>>;

async function signIn({ username, secret }: Person): Promise<number> {
  const { ground, admin } = people;
  // So that the code of now is good again.
  await admin.query('UPDATE token.person_totps SET last_step = 0');
  const { body } = await password(ground, username);
  return (await factor(ground, body.sign_in_id, 'totp', codeOf({ secret }))).status;
}

async function counted(...more: string[]): Promise<object> {
  const config = `${keyFile}.json`;
  writeFileSync(config, JSON.stringify(people.ground.config));
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, '--config', config, ...more]);
  return (JSON.parse(stdout) as { underOlderKeys: object }).underOlderKeys;
}

/** The service has the file as it is now. */
async function taken(...lines: string[]): Promise<void> {
  writeFileSync(keyFile, lines.join('\n'));
  const sealer = people.app.get(Sealer);
  await until(() => sealer.keys.map((key) => Buffer.from(key).toString('hex')).join() === lines.join(), 20_000);
}

it('seals anew what is used, all of it when it is told to, and then the old line is not missed', async () => {
  const [seen, unseen] = [await people.enrolled(), await people.enrolled()];
  const old = readFileSync(keyFile, 'utf8');
  expect(await counted()).toEqual({ signingKeys: 0, totpSecrets: 0 });

  await taken(NEW, old);
  expect(await counted()).toEqual({ signingKeys: 1, totpSecrets: 2 });
  expect(await signIn(seen)).toBe(200);
  await people.app.get(SigningKeyService).rotate(new Date());
  expect(await counted()).toEqual({ signingKeys: 0, totpSecrets: 1 });
  expect(await counted('--seal-anew')).toEqual({ signingKeys: 0, totpSecrets: 0 });

  await taken(NEW);
  expect([await signIn(seen), await signIn(unseen)]).toEqual([200, 200]);
  await people.app.get(SigningKeyService).rotate(new Date());
}, 120_000);

it('an old line that goes too early is told by the command, and closes the person out', async () => {
  const person = await people.enrolled();
  await taken(randomBytes(32).toString('hex'));
  await expect(counted()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('Error') });
  expect(await signIn(person)).not.toBe(200);
  await taken(NEW);
  expect(await signIn(person)).toBe(200);
}, 90_000);
