import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On, peerOf } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OIDC_STATE_SECONDS, OidcSignIn } from './oidc-sign-in.service.js';

/** Only this host, only over TLS, not from other sites' frames or forms: whose browser began is whose browser ends. */
const COOKIE = '__Host-outrider-oidc';
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';

@Controller('/v1/sign-in/oidc')
export class OidcController {
  constructor(private readonly signIn: OidcSignIn) {}

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
