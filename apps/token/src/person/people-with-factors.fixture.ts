/** A token service, and people who enrol factors with it. */
import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Database } from '@outrider/platform/postgres';
import type pg from 'pg';
import { ask, codeOf, factor, PASSWORD, password } from '../sign-in/people.fixture.js';
import { type Ground, prepareGround, startService } from '../token.fixture.js';
import { SoftAuthenticator } from './authenticator.fixture.js';
import { hashPassword, SALT_BYTES } from './password-hash.js';
import { Persons } from './persons.repository.js';
import { parseTotpSecret } from './totp.js';

export class People {
  private made = 0;

  private constructor(
    readonly ground: Ground,
    readonly admin: pg.Client,
    readonly app: NestFastifyApplication,
    private readonly hash: string,
  ) {}

  static async start(): Promise<People> {
    const ground = await prepareGround();
    const admin = await ground.database.admin();
    const hash = await hashPassword(PASSWORD, randomBytes(SALT_BYTES));
    return new People(ground, admin, await startService(ground, 1), hash);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.admin.end();
    await this.ground.stop();
  }

  forgetFailures(): Promise<unknown> {
    return this.admin.query('DELETE FROM token.sign_in_failures');
  }

  post(path: string, token: string, body: object = {}) {
    return ask(this.ground, path, { token, body });
  }

  /** A person without a factor, and the token that a password alone gives. */
  async newcomer() {
    this.made += 1;
    const username = `person-${this.made}`;
    const persons = this.app.get(Persons);
    const { id } = await this.app.get(Database).transaction(async (tx) => {
      const made = await persons.upsert(tx, { username, identity: username, roles: ['viewer'] });
      await persons.setPassword(tx, made!.id, this.hash);
      return made!;
    });
    const { body } = await password(this.ground, username);
    return { username, sub: `op:${id}`, token: body.access_token as string, next: body.next as string[] };
  }

  /** A person who enrolled a code, signed in with it. */
  async enrolled() {
    const person = await this.newcomer();
    const { body } = await this.post('/v1/person/totp', person.token);
    const secret = parseTotpSecret(body.secret);
    const confirmed = await this.post('/v1/person/totp/confirm', person.token, { code: codeOf({ secret }) });
    expect(confirmed.status).toBe(204);
    const { body: begun } = await password(this.ground, person.username);
    const { body: signedIn } = await factor(this.ground, begun.sign_in_id, 'totp', codeOf({ secret }, 1));
    return { ...person, secret, password: person.token, token: signedIn.access_token as string };
  }

  async withKey() {
    const person = await this.enrolled();
    const key = new SoftAuthenticator('localhost', 'https://localhost');
    const { body: options } = await this.post('/v1/person/webauthn/options', person.token);
    const response = key.register(options.challenge);
    expect((await this.post('/v1/person/webauthn', person.token, { name: 'key', response })).status).toBe(204);
    return { ...person, key };
  }

  async challenge(username: string): Promise<{ id: string; challenge: string }> {
    const { body } = await password(this.ground, username);
    const options = await ask(this.ground, `/v1/sign-in/${body.sign_in_id}/webauthn/options`, { body: {} });
    expect(options).toMatchObject({ status: 200, body: { userVerification: 'required', rpId: 'localhost' } });
    return { id: body.sign_in_id, challenge: options.body.challenge };
  }

  show(id: string, response: object) {
    return ask(this.ground, `/v1/sign-in/${id}/webauthn`, { body: { response } });
  }
}
