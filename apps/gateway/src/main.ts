import { boot } from '@outrider/platform/service';
import { definition } from './gateway.module.js';

await boot(definition);
