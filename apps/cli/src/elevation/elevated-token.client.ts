import { createPrivateKey, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Endpoints } from '../endpoints/endpoints.store.js';
import { UsageError } from '../exit-code.js';
import type { OperatorClient } from '../operator/operator.client.js';
import { heldBy, tokenForm } from './token-request.js';

const Elevation = z.looseObject({ scope: z.string() });
const Answer = z.looseObject({ access_token: z.string() });

/**
 * A token with the scope of an elevation beside all that the account holds: for one command, kept nowhere.
 * @param operator with the account's own token
 */
export async function elevatedToken(
  operator: OperatorClient,
  endpoints: Endpoints,
  elevationId: string,
): Promise<string> {
  const { clientId, scopes } = heldBy(await operator.token());
  const keyFile = endpoints.operatorKeyFiles[clientId];
  if (!keyFile) {
    throw new UsageError(
      `--elevation: ${clientId} has no key here; a person names the scope: login --as ${clientId} --scope`,
    );
  }
  const path = `/v1/elevations/${encodeURIComponent(elevationId)}` as const;
  const { scope } = Elevation.parse(await operator.call('token', 'GET', path));
  const form = tokenForm(clientId, [...scopes, scope], {
    audience: `${endpoints.operator.token}/oauth2/token`,
    key: createPrivateKey(await readFile(keyFile, 'utf8')),
    nowMs: Date.now(),
    jti: randomUUID(),
  });
  const body = (async function* () {
    yield Buffer.from(form);
  })();
  const stream = { body, type: 'application/x-www-form-urlencoded', bytes: Buffer.byteLength(form) };
  const answer = await operator.call('token', 'POST', '/oauth2/token', { stream, anonymous: true });
  return Answer.parse(answer).access_token;
}
