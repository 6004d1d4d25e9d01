import { Controller, Get, Header } from '@nestjs/common';
import { Jwks } from '@outrider/contracts';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { SigningKeyService } from './signing-key.service.js';

/** RFC 7517 §5. A new key is published for much longer than a minute before it signs. */
const CACHE = 'public, max-age=60';

@Controller('oauth2/jwks')
export class JwksController {
  constructor(private readonly keys: SigningKeyService) {}

  @Describe({
    summary: 'The keys that sign tokens (RFC 7517).',
    answers: { 200: { schema: Jwks, headers: ['Cache-Control'] } },
  })
  @Get()
  @On('vehicle')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onVehicle(): Jwks {
    return this.keys.jwks;
  }

  @Describe({
    summary: 'The keys that sign tokens (RFC 7517).',
    answers: { 200: { schema: Jwks, headers: ['Cache-Control'] } },
  })
  @Get()
  @On('operator')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onOperator(): Jwks {
    return this.keys.jwks;
  }
}
