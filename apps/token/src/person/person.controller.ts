import { Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On } from '@outrider/platform/http';
import { z } from 'zod';
import { Enrolment } from './enrolment.service.js';

/** Seconds since the sign-in: whoever finds a screen unlocked later enrols nothing. */
const FRESH = { maxAgeSeconds: 300 } as const;

const CodeBody = z.strictObject({ code: z.string().max(64) });
/** What `navigator.credentials.create` gave, as JSON; the library checks it whole. */
const WebAuthnBody = z.strictObject({
  name: z.string().min(1).max(64),
  response: z.looseObject({ id: z.string().max(1024), response: z.looseObject({}) }),
});

/** The signed-in person's own factors. */
@Controller('/v1/person')
export class PersonController {
  constructor(private readonly enrolment: Enrolment) {}

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
}
