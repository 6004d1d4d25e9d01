/** What every subcommand works with: the output, the endpoints and the operator APIs. */
import type { Command } from 'commander';
import { type Endpoints, endpointsPath, readEndpoints } from './endpoints/endpoints.store.js';
import { OperatorClient } from './operator/operator.client.js';
import { OutputService } from './output/output.service.js';

export interface Session {
  readonly output: OutputService;
  readonly endpoints: Endpoints;
  readonly operator: OperatorClient;
}

/** Runs one subcommand in a session and closes its connections. `--json` may stand before or behind the subcommand. */
export async function inSession(command: Command, work: (session: Session) => Promise<void>): Promise<void> {
  const output = new OutputService(command.optsWithGlobals<{ json?: boolean }>().json === true);
  const endpoints = await readEndpoints(endpointsPath(process.env));
  const operator = new OperatorClient(endpoints);
  try {
    await work({ output, endpoints, operator });
  } finally {
    await operator.close();
  }
}
