/** The service account `local-admin`, and the operator token that the supervisor keeps fresh for it in one file. */
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tokenIssuer } from './configs.ts';
import { Failure } from './failure.ts';
import { writeWhole } from './files.ts';
import { fleetFiles } from './fleet.ts';
import { portsOf } from './ports.ts';
import { runProduct } from './product.ts';
import { places, type Settings } from './settings.ts';
import type { Say } from './terminal.ts';

export const SERVICE_ACCOUNT = 'local-admin';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function keyFile(settings: Settings): string {
  return join(places(settings).secrets, `${SERVICE_ACCOUNT}.key`);
}

/** Makes the account's key on first use, and the account in the token service's database. */
export async function makeServiceAccount(settings: Settings): Promise<void> {
  const { config, secrets } = places(settings);
  const publicFile = join(secrets, `${SERVICE_ACCOUNT}.pub`);
  if (!existsSync(keyFile(settings))) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeWhole(publicFile, publicKey.export({ type: 'spki', format: 'pem' }) as string);
    writeWhole(keyFile(settings), privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  }
  await runProduct('apps/token/dist/operator-account.command.js', [
    '--config',
    join(config, 'token.json'),
    '--client-id',
    SERVICE_ACCOUNT,
    '--roles',
    'admin',
    '--public-key',
    publicFile,
  ]);
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

export class OperatorTokenKeeper {
  readonly #settings: Settings;
  readonly #say: Say;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(settings: Settings, say: Say) {
    this.#settings = settings;
    this.#say = say;
  }

  /** Writes the first token, and from then on the next one at half the life of each. */
  async start(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#renew();
        return;
      } catch (error) {
        if (tries === 20)
          throw new Failure(`The token service gives ${SERVICE_ACCOUNT} no token: ${(error as Error).message}`);
        await sleep(500);
      }
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #renew(): Promise<void> {
    const answer = await fetchToken(this.#settings);
    writeWhole(places(this.#settings).operatorToken, `${answer.access_token}\n`);
    if (this.#failing) this.#say('the operator token is fresh again');
    this.#failing = false;
    this.#next((answer.expires_in * 1000) / 2);
  }

  #next(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#renew().catch((error: Error) => {
        if (!this.#failing) this.#say(`the operator token could not be renewed (${error.message}); trying again`);
        this.#failing = true;
        this.#next(2000);
      });
    }, waitMs);
  }
}

async function fetchToken(settings: Settings): Promise<TokenAnswer> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: SERVICE_ACCOUNT,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: clientAssertion(readFileSync(keyFile(settings), 'utf8'), tokenIssuer(settings), Date.now()),
  }).toString();
  const text = await post(settings, form);
  const answer = JSON.parse(text) as Partial<TokenAnswer>;
  if (!answer.access_token || !answer.expires_in) throw new Error(`an answer without a token: ${text.slice(0, 200)}`);
  return { access_token: answer.access_token, expires_in: answer.expires_in };
}

/** RFC 7523: a JWT by the account's key, good for a minute, ES256. */
function clientAssertion(privateKeyPem: string, audience: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const claims = {
    iss: SERVICE_ACCOUNT,
    sub: SERVICE_ACCOUNT,
    aud: audience,
    iat: seconds,
    exp: seconds + 60,
    jti: randomUUID(),
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
  const key = createPrivateKey(privateKeyPem);
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function post(settings: Settings, form: string): Promise<string> {
  const port = portsOf(settings).services.token?.operator;
  const { trust } = fleetFiles(settings);
  return new Promise((done, failed) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/oauth2/token',
        ca: readFileSync(trust.server),
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form) },
        timeout: 5000,
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () =>
          answer.statusCode === 200 ? done(text) : failed(new Error(`${answer.statusCode} ${text.slice(0, 300)}`)),
        );
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')));
    call.on('error', failed);
    call.end(form);
  });
}
