import { Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { JsonBody, On, PathParam, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SecondFactors } from './second-factor.service.js';
import { SignInService } from './sign-in.service.js';
import { SignedIn, SignInStep, WebAuthnRequest } from './sign-in-answers.js';

const DeviceToken = z.string().max(256).optional();

const PasswordBody = z.strictObject({
  username: z.string().min(1).max(128),
  password: z.string().min(1).max(256),
  scope: z.string().max(512).optional(),
  device_token: DeviceToken,
});
const CodeBody = z.strictObject({ code: z.string().min(1).max(64), device_token: DeviceToken });
const WebAuthnBody = z.strictObject({
  response: z.looseObject({ id: z.string().max(1024), response: z.looseObject({}) }),
});

/** How people sign in: what they show is the authentication. */
@Controller('/v1/sign-in')
export class SignInController {
  constructor(
    private readonly signIns: SignInService,
    private readonly factors: SecondFactors,
  ) {}

  @Describe({
    summary: 'Begins a sign-in with name and password.',
    answers: { 200: { schema: SignInStep, headers: ['Cache-Control'] } },
    problems: ['sign_in.refused', 'sign_in.slow_down', 'token.invalid_client', 'token.invalid_scope'],
  })
  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @AdmitAnyone()
  password(@Req() request: FastifyRequest, @JsonBody(PasswordBody) body: z.infer<typeof PasswordBody>) {
    return this.signIns.withPassword(body, peerOf(request.raw).remoteAddress, new Date());
  }

  @Describe({
    summary: 'Goes on with a one-time password.',
    answers: { 200: { schema: SignedIn, headers: ['Cache-Control'] } },
    problems: [
      'sign_in.not_open',
      'sign_in.refused',
      'sign_in.slow_down',
      'token.invalid_client',
      'token.invalid_scope',
    ],
  })
  @Post(':id/totp')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @AdmitAnyone()
  totp(
    @Req() request: FastifyRequest,
    @PathParam('id', z.uuid()) id: string,
    @JsonBody(CodeBody) body: z.infer<typeof CodeBody>,
  ) {
    return this.factors.totp(id, body, peerOf(request.raw).remoteAddress, new Date());
  }

  @Describe({
    summary: 'Goes on with a recovery code.',
    answers: { 200: { schema: SignedIn, headers: ['Cache-Control'] } },
    problems: [
      'sign_in.not_open',
      'sign_in.refused',
      'sign_in.slow_down',
      'token.invalid_client',
      'token.invalid_scope',
    ],
  })
  @Post(':id/recovery')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @AdmitAnyone()
  recovery(
    @Req() request: FastifyRequest,
    @PathParam('id', z.uuid()) id: string,
    @JsonBody(CodeBody) body: z.infer<typeof CodeBody>,
  ) {
    return this.factors.recovery(id, body, peerOf(request.raw).remoteAddress, new Date());
  }

  @Describe({
    summary: 'What the security key is asked.',
    answers: { 200: { schema: WebAuthnRequest, headers: ['Cache-Control'] } },
    problems: ['sign_in.not_open'],
  })
  @Post(':id/webauthn/options')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @AdmitAnyone()
  webAuthnOptions(@PathParam('id', z.uuid()) id: string) {
    return this.factors.webAuthnOptions(id, new Date());
  }

  @Describe({
    summary: 'Goes on with a security key.',
    answers: { 200: { schema: SignedIn, headers: ['Cache-Control'] } },
    problems: [
      'sign_in.not_open',
      'sign_in.refused',
      'sign_in.slow_down',
      'token.invalid_client',
      'token.invalid_scope',
    ],
  })
  @Post(':id/webauthn')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @On('operator')
  @AdmitAnyone()
  webauthn(
    @Req() request: FastifyRequest,
    @PathParam('id', z.uuid()) id: string,
    @JsonBody(WebAuthnBody) { response }: z.infer<typeof WebAuthnBody>,
  ) {
    return this.factors.webauthn(id, response, peerOf(request.raw).remoteAddress, new Date());
  }
}
