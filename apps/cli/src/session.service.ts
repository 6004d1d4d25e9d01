/** What every subcommand works with: the output, the endpoints and the operator APIs. */
import type { Command } from 'commander';
import { type Endpoints, endpointsPath, readEndpoints } from './endpoints/endpoints.store.js';
import { UsageError } from './exit-code.js';
import { OperatorClient } from './operator/operator.client.js';
import { OutputService } from './output/output.service.js';

export interface Session {
  readonly output: OutputService;
  readonly endpoints: Endpoints;
  readonly operator: OperatorClient;
}

/** Runs one subcommand in a session and closes its connections. `--json` may stand before or behind the subcommand. */
export async function inSession(command: Command, work: (session: Session) => Promise<void>): Promise<void> {
  const { json, as } = command.optsWithGlobals<{ json?: boolean; as?: string }>();
  const output = new OutputService(json === true);
  const endpoints = actingAs(await readEndpoints(endpointsPath(process.env)), as);
  const operator = new OperatorClient(endpoints);
  try {
    await work({ output, endpoints, operator });
  } finally {
    await operator.close();
  }
}

/** The same suite with another operator's token. */
function actingAs(endpoints: Endpoints, account: string | undefined): Endpoints {
  if (account === undefined) return endpoints;
  const operatorTokenFile = endpoints.operatorTokenFiles[account];
  const known = Object.keys(endpoints.operatorTokenFiles).join(', ') || 'none';
  if (!operatorTokenFile) throw new UsageError(`--as ${account}: endpoints.json names these operators: ${known}`);
  return { ...endpoints, operatorTokenFile };
}
