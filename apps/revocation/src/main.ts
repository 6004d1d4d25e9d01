import { boot } from '@outrider/platform/service';
import { definition } from './revocation.module.js';

await boot(definition);
