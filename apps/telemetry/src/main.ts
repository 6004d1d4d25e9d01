import { boot } from '@outrider/platform/service';
import { TELEMETRY } from './service.provider.js';

await boot(TELEMETRY);
