import { boot } from '@outrider/platform/service';
import { definition } from './token.module.js';

await boot(definition);
