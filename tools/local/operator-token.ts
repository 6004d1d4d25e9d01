/** The service accounts of the local default, and the operator tokens that the supervisor keeps fresh for them, in a file each. */
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
/** Somebody else than `local-admin`: orders need a second operator. */
export const APPROVER_ACCOUNT = 'local-approver';
export const SERVICE_ACCOUNTS = [SERVICE_ACCOUNT, APPROVER_ACCOUNT] as const;
export type ServiceAccount = (typeof SERVICE_ACCOUNTS)[number];
/** Who stands behind each: two people, or no request of one could be approved by the other. */
const IDENTITIES: Readonly<Record<ServiceAccount, string>> = {
  'local-admin': 'administrator',
  'local-approver': 'approver',
};
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function keyFileOf(settings: Settings, account: ServiceAccount): string {
  return join(places(settings).secrets, `${account}.key`);
}

export function tokenFileOf(settings: Settings, account: ServiceAccount): string {
  const { operatorToken, approverToken } = places(settings);
  return account === SERVICE_ACCOUNT ? operatorToken : approverToken;
}

/** Makes each account's key on first use, and the account in the token service's database. */
export async function makeServiceAccounts(settings: Settings): Promise<void> {
  for (const account of SERVICE_ACCOUNTS) await makeServiceAccount(settings, account);
}

async function makeServiceAccount(settings: Settings, account: ServiceAccount): Promise<void> {
  const { config, secrets } = places(settings);
  const publicFile = join(secrets, `${account}.pub`);
  if (!existsSync(keyFileOf(settings, account))) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeWhole(publicFile, publicKey.export({ type: 'spki', format: 'pem' }) as string);
    writeWhole(keyFileOf(settings, account), privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  }
  await runProduct('apps/token/dist/operator-account.command.js', [
    '--config',
    join(config, 'token.json'),
    '--client-id',
    account,
    '--identity',
    IDENTITIES[account],
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
  readonly #account: ServiceAccount;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(settings: Settings, say: Say, account: ServiceAccount) {
    this.#settings = settings;
    this.#say = say;
    this.#account = account;
  }

  /** Writes the first token, and from then on the next one at half the life of each. */
  async start(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#renew();
        return;
      } catch (error) {
        if (tries === 20)
          throw new Failure(`The token service gives ${this.#account} no token: ${(error as Error).message}`);
        await sleep(500);
      }
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #renew(): Promise<void> {
    const answer = await fetchToken(this.#settings, this.#account);
    writeWhole(tokenFileOf(this.#settings, this.#account), `${answer.access_token}\n`);
    if (this.#failing) this.#say(`the token of ${this.#account} is fresh again`);
    this.#failing = false;
    this.#next((answer.expires_in * 1000) / 2);
  }

  #next(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#renew().catch((error: Error) => {
        if (!this.#failing)
          this.#say(`the token of ${this.#account} could not be renewed (${error.message}); trying again`);
        this.#failing = true;
        this.#next(2000);
      });
    }, waitMs);
  }
}

async function fetchToken(settings: Settings, account: ServiceAccount): Promise<TokenAnswer> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: account,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: clientAssertion(
      account,
      readFileSync(keyFileOf(settings, account), 'utf8'),
      tokenIssuer(settings),
      Date.now(),
    ),
  }).toString();
  const text = await post(settings, form);
  const answer = JSON.parse(text) as Partial<TokenAnswer>;
  if (!answer.access_token || !answer.expires_in) throw new Error(`an answer without a token: ${text.slice(0, 200)}`);
  return { access_token: answer.access_token, expires_in: answer.expires_in };
}

/** RFC 7523: a JWT by the account's key, good for a minute, ES256. */
function clientAssertion(account: ServiceAccount, privateKeyPem: string, audience: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const claims = {
    iss: account,
    sub: account,
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
