import { Controller, Delete, Get, Header, HttpCode, Patch, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, PathParam } from '@outrider/platform/http';
import { z } from 'zod';
import { Enrolment } from './enrolment.service.js';
import { PasswordChange } from './password-change.service.js';
import { PasswordText } from './password-text.js';

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

  @Get()
  @On('operator')
  @RequireOperator('self:enrol')
  show(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.show(claims);
  }

  @Post('totp')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  beginTotp(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.beginTotp(claims);
  }

  @Post('totp/confirm')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async confirmTotp(@Admitted() { claims }: OperatorAdmission, @JsonBody(CodeBody) { code }: z.infer<typeof CodeBody>) {
    await this.enrolment.confirmTotp(claims, code, new Date());
  }

  @Post('webauthn/options')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  beginWebAuthn(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.beginWebAuthn(claims, new Date());
  }

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

  @Post('recovery-codes')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  recoveryCodes(@Admitted() { claims }: OperatorAdmission) {
    return this.enrolment.recoveryCodes(claims);
  }

  @Delete('totp')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async removeTotp(@Admitted() { claims }: OperatorAdmission) {
    await this.enrolment.removeTotp(claims);
  }

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

  @Delete('webauthn/:key')
  @HttpCode(204)
  @On('operator')
  @RequireOperator('self:enrol', FRESH)
  async removeKey(@Admitted() { claims }: OperatorAdmission, @PathParam('key', KeyId) key: string) {
    await this.enrolment.removeKey(claims, key);
  }

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
