import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SignInStep } from '../sign-in-answers.js';
import { OIDC_STATE_SECONDS, OidcSignIn } from './oidc-sign-in.service.js';

/** Only this host, only over TLS, not from other sites' frames or forms: whose browser began is whose browser ends. */
const COOKIE = '__Host-outrider-oidc';
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';

@Controller('/v1/sign-in/oidc')
export class OidcController {
  constructor(private readonly signIn: OidcSignIn) {}

  @Describe({
    summary: 'Begins a sign-in at the company’s identity provider.',
    answers: { 302: { headers: ['Location'], description: 'To the identity provider.' } },
    problems: ['service.upstream_unavailable', 'sign_in.oidc_not_configured'],
  })
  @Get('start')
  @On('operator')
  @AdmitAnyone()
  async start(@Res() reply: FastifyReply): Promise<void> {
    const { location, kept } = await this.signIn.start(new Date());
    await reply
      .status(302)
      .header('cache-control', 'no-store')
      .header('set-cookie', `${COOKIE}=${kept}; Max-Age=${OIDC_STATE_SECONDS}; ${ATTRIBUTES}`)
      .header('location', location)
      .send();
  }

  @Describe({
    summary: 'Comes back from the identity provider.',
    answers: { 200: { schema: SignInStep, headers: ['Cache-Control'] } },
    query: z.looseObject({
      code: z.string().optional(),
      state: z.string().optional(),
      iss: z.string().optional(),
      error: z.string().optional(),
    }),
    problems: [
      'service.upstream_unavailable',
      'sign_in.not_open',
      'sign_in.oidc_not_configured',
      'sign_in.refused',
      'token.invalid_client',
      'token.invalid_scope',
    ],
  })
  @Get('callback')
  @On('operator')
  @AdmitAnyone()
  @Header('cache-control', 'no-store')
  @Header('referrer-policy', 'no-referrer')
  @Header('set-cookie', `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`)
  finish(@Req() request: FastifyRequest) {
    const search = new URL(request.url, 'https://us.invalid').search;
    const kept = cookie(request.headers.cookie, COOKIE);
    return this.signIn.finish(search, kept, peerOf(request.raw).remoteAddress, new Date());
  }
}

function cookie(header: string | undefined, name: string): string | undefined {
  const found = (header ?? '').split(';').map((part) => part.trim());
  return found.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
}
