/** Prints docs/messages.md. */
import { contractsPage } from './contracts-page.js';

process.stdout.write(contractsPage());
