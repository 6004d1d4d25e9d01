import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SERVICES } from '@outrider/ids';
import type { z } from 'zod';
import { jsonSchemaOf } from './config-check.service.js';
import type { DescribedService } from './config-page.js';

const APPS = join(import.meta.dirname, '../../../../apps');

/** The schemas of all services, as they were built: for the page alone, which is why this lib may look at the apps here. */
export function describedServices(): Promise<DescribedService[]> {
  return Promise.all(
    SERVICES.map(async (service) => {
      const file = pathToFileURL(join(APPS, service, 'dist', 'config.js')).href;
      const { Config, TokenConfig } = (await import(file)) as { Config?: z.ZodType; TokenConfig?: z.ZodType };
      return { service, schema: jsonSchemaOf((Config ?? TokenConfig) as z.ZodType) };
    }),
  );
}
