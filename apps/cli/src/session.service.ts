/** What every subcommand works with: the output, the endpoints and the operator APIs. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { elevatedToken } from './elevation/elevated-token.client.js';
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
  const { json, as, elevation } = command.optsWithGlobals<{ json?: boolean; as?: string; elevation?: string }>();
  const output = new OutputService(json === true);
  const endpoints = actingAs(await readEndpoints(endpointsPath(process.env)), as, command.name() === 'login');
  const own = new OperatorClient(endpoints);
  let token: Promise<string> | undefined;
  const elevated = elevation === undefined ? undefined : () => (token ??= elevatedToken(own, endpoints, elevation));
  const operator = elevated ? new OperatorClient(endpoints, elevated) : own;
  try {
    await work({ output, endpoints, operator });
  } finally {
    await Promise.all([own.close(), operator.close()]);
  }
}

/** The same suite with another operator's token. */
function actingAs(endpoints: Endpoints, account: string | undefined, signingIn: boolean): Endpoints {
  if (account === undefined) return endpoints;
  const operatorTokenFile = endpoints.operatorTokenFiles[account] ?? endpoints.tokenFileOf(account);
  const known = Object.keys(endpoints.operatorTokenFiles).join(', ') || 'none';
  if (!signingIn && !existsSync(operatorTokenFile) && !endpoints.operatorTokenFiles[account])
    throw new UsageError(`--as ${account}: endpoints.json names these operators: ${known}; others sign in first`);
  return { ...endpoints, operatorTokenFile };
}
