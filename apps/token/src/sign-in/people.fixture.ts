import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { generateSync } from 'otplib';
import { totpSecretText } from '../person/totp.js';
import type { Answer, Ground } from '../token.fixture.js';

const COMMAND = join(import.meta.dirname, '../person-account.command.js');
export const PASSWORD = 'correct horse battery staple';

/** `secret`: of the authenticator app, if the person has one. */
export interface MadePerson {
  readonly username: string;
  readonly sub: string;
  readonly secret: Buffer;
}

export interface PersonOptions {
  readonly roles?: string;
  readonly totp?: boolean;
  readonly subject?: string;
}

/** A person as the operator of the service makes one: by the command, from files. */
export async function makePerson(
  { config }: Ground,
  username: string,
  { roles = 'viewer', totp = true, subject }: PersonOptions = {},
): Promise<MadePerson> {
  const directory = dirname(config.signingKeys.encryptionKeyFile);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const secret = randomBytes(20);
  const { stdout } = await promisify(execFile)(process.execPath, [
    COMMAND,
    ...['--config', file('token.json', JSON.stringify(config))],
    ...['--username', username, '--identity', username, '--roles', roles],
    ...['--password-file', file(`${username}.password`, PASSWORD)],
    ...(totp ? ['--totp-secret-file', file(`${username}.totp`, totpSecretText(secret))] : []),
    ...(subject ? ['--oidc-subject', subject] : []),
  ]);
  return { username, sub: (JSON.parse(stdout) as { sub: string }).sub, secret };
}

/** The code of a step: 0 now, 1 the next. */
export function codeOf({ secret }: { readonly secret: Uint8Array }, offset = 0): string {
  return generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + offset * 30 });
}

export interface JsonCall {
  readonly body?: object;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  /** The loopback address that the call comes from. */
  readonly from?: string;
  readonly method?: string;
}

/** POST with a body, else GET, unless `method` says otherwise, on the operator listener. */
export function ask(
  { config, fleet }: Ground,
  path: string,
  { body, token, headers = {}, from = '127.0.0.1', method }: JsonCall = {},
): Promise<Answer> {
  const options: https.RequestOptions = {
    host: '127.0.0.1',
    localAddress: from,
    port: config.listeners.operator!.port,
    path,
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    agent: false,
    ca: fleet.root.certificatePem,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  };
  return new Promise((resolve, reject) => {
    const request = https.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const type = response.headers['content-type'] ?? '';
        const parsed: unknown = text === '' ? undefined : type.includes('json') ? JSON.parse(text) : text;
        resolve({ status: response.statusCode!, headers: response.headers, body: parsed });
      });
    });
    request.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The first factor. */
export function password(
  ground: Ground,
  username: string,
  fields: { password?: string; scope?: string; device_token?: string } = {},
  from?: string,
): Promise<Answer> {
  return ask(ground, '/v1/sign-in', { body: { username, password: PASSWORD, ...fields }, ...(from ? { from } : {}) });
}

/** A second factor. */
export function factor(ground: Ground, id: string, kind: 'totp' | 'recovery', code: string, from?: string) {
  return ask(ground, `/v1/sign-in/${id}/${kind}`, { body: { code }, ...(from ? { from } : {}) });
}
