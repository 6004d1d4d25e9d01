import { Controller, Get, Header } from '@nestjs/common';
import type { Jwks } from '@outrider/contracts';
import { AdmitAnyone } from '@outrider/platform/admission';
import { On } from '@outrider/platform/http';
import { SigningKeyService } from './signing-key.service.js';

/** RFC 7517 §5. A new key is published for much longer than a minute before it signs. */
const CACHE = 'public, max-age=60';

@Controller('oauth2/jwks')
export class JwksController {
  constructor(private readonly keys: SigningKeyService) {}

  @Get()
  @On('vehicle')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onVehicle(): Jwks {
    return this.keys.jwks;
  }

  @Get()
  @On('operator')
  @AdmitAnyone()
  @Header('cache-control', CACHE)
  onOperator(): Jwks {
    return this.keys.jwks;
  }
}
