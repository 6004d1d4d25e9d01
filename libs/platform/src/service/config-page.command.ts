/** Prints docs/configuration.md. */
import { configPage } from './config-page.js';
import { describedServices } from './described-services.store.js';

process.stdout.write(configPage(await describedServices()));
