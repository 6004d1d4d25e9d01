import { Controller, Delete, Get, Header, HttpCode, Patch, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { z } from 'zod';
import { Enrolment } from './enrolment.service.js';
import { PasswordChange } from './password-change.service.js';
import { PasswordText } from './password-text.js';
import { Person, RecoveryCodes, TotpSecret, WebAuthnCreation } from './person-answers.js';

/** Seconds since the sign-in: whoever finds a screen unlocked later enrols nothing. */
const FRESH = { maxAgeSeconds: 300 } as const;

const CodeBody = z.strictObject({ code: z.string().max(64) });
const Name = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,64}$/u, '1 to 64 characters');
const NameBody = z.strictObject({ name: Name });
const PasswordBody = z.strictObject({ current_password: z.string().min(1).max(256), new_password: PasswordText });
/** base64url, as the authenticator made it up. */
const KeyId = z.string().regex(/^[\w-]{1,1024}$/);
/** What `navigator.credentials.create` gave, as JSON; the library checks it whole. */
const WebAuthnBody = z.strictObject({
  name: Name,
  response: z.looseObject({ id: z.string().max(1024), response: z.looseObject({}) }),
});

/** The signed-in person's own factors. */
@Controller('/v1/person')
export class PersonController {
  constructor(
    private readonly enrolment: Enrolment,
    private readonly passwords: PasswordChange,
  ) {}

  @Describe({
    summary: 'The signed-in person and their factors.',
    answers: { 200: Person },
    problems: ['sign_in.not_a_person'],
  })
  @Get()
  @On('operator')
  @RequireOperator('self:enrol')
  show(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.show(claims);
  }

  @Describe({
    summary: 'A new secret for one-time passwords, which counts once it is confirmed.',
    answers: { 200: { schema: TotpSecret, headers: ['Cache-Control'] } },
    problems: ['sign_in.not_a_person'],
  })
  @Post('totp')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  beginTotp(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.beginTotp(claims);
  }

  @Describe({
    summary: 'Confirms the secret by a first password of it.',
    answers: { 204: null },
    problems: ['sign_in.not_a_person', 'sign_in.refused'],
  })
  @Post('totp/confirm')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async confirmTotp(@Admitted() { claims }: OperatorAdmission, @JsonBody(CodeBody) { code }: z.infer<typeof CodeBody>) {
    await this.enrolment.confirmTotp(claims, code, new Date());
  }

  @Describe({
    summary: 'What a new security key is made by.',
    answers: { 200: { schema: WebAuthnCreation, headers: ['Cache-Control'] } },
    problems: ['sign_in.factor_limit', 'sign_in.not_a_person'],
  })
  @Post('webauthn/options')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  beginWebAuthn(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.beginWebAuthn(claims, new Date());
  }

  @Describe({
    summary: 'Takes a new security key.',
    answers: { 204: null },
    problems: ['sign_in.not_a_person', 'sign_in.refused'],
  })
  @Post('webauthn')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async finishWebAuthn(
    @Admitted() { claims }: OperatorAdmission,
    @JsonBody(WebAuthnBody) { name, response }: z.infer<typeof WebAuthnBody>,
  ) {
    await this.enrolment.finishWebAuthn(claims, name, response, new Date());
  }

  @Describe({
    summary: 'New recovery codes; those of before are worth nothing from now on.',
    answers: { 200: { schema: RecoveryCodes, headers: ['Cache-Control'] } },
    problems: ['sign_in.factor_missing', 'sign_in.not_a_person'],
  })
  @Post('recovery-codes')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  recoveryCodes(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.recoveryCodes(claims);
  }

  @Describe({
    summary: 'Removes one-time passwords.',
    answers: { 204: null },
    problems: ['sign_in.factor_missing', 'sign_in.last_factor', 'sign_in.not_a_person'],
  })
  @Delete('totp')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async removeTotp(@Admitted() { claims }: OperatorAdmission) {
    await this.enrolment.removeTotp(claims);
  }

  @Describe({
    summary: 'Gives a security key another name.',
    answers: { 204: null },
    problems: ['sign_in.factor_missing', 'sign_in.not_a_person'],
  })
  @Patch('webauthn/:key')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async renameKey(
    @Admitted() { claims }: OperatorAdmission,
    @PathParam('key', KeyId) key: string,
    @JsonBody(NameBody) { name }: z.infer<typeof NameBody>,
  ) {
    await this.enrolment.renameKey(claims, key, name);
  }

  @Describe({
    summary: 'Removes a security key.',
    answers: { 204: null },
    problems: ['sign_in.factor_missing', 'sign_in.last_factor', 'sign_in.not_a_person'],
  })
  @Delete('webauthn/:key')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async removeKey(@Admitted() { claims }: OperatorAdmission, @PathParam('key', KeyId) key: string) {
    await this.enrolment.removeKey(claims, key);
  }

  @Describe({
    summary: 'Changes the password; other sign-ins of the person end.',
    answers: { 204: null },
    problems: [
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'sign_in.factor_missing',
      'sign_in.not_a_person',
      'sign_in.refused',
      'sign_in.slow_down',
    ],
  })
  @Post('password')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async changePassword(
    @Admitted() { claims }: OperatorAdmission,
    @JsonBody(PasswordBody) body: z.infer<typeof PasswordBody>,
  ) {
    await this.passwords.change(claims, body.current_password, body.new_password, new Date());
  }
}
