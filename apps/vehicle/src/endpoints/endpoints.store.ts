/** Reads `endpoints.json` and the trust files it names. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { EndpointsFile, type PlatformOrigins, platformOrigins } from './endpoints.js';

export interface Platform {
  readonly origins: PlatformOrigins;
  /** PEM: what server certificates are believed by. */
  readonly serverTrust: string;
  /** PEM: what signed commands are believed by. */
  readonly fleetRoot: string;
  /** Absolute paths and the operator listener, for the simulator that makes its own factory identities. */
  readonly factory: { readonly ca: string; readonly key: string } | undefined;
  readonly provisioningOperator: string | undefined;
  readonly operatorTokenFile: string | undefined;
}

/** Throws an Error naming the file and what is wrong in it. */
export async function readPlatform(path: string): Promise<Platform> {
  const file = parse(path, await readFile(path, 'utf8'));
  const root = dirname(dirname(resolve(path)));
  const from = (relative: string): string => resolve(root, relative);
  const [serverTrust, fleetRoot] = await Promise.all([
    readFile(from(file.trust.server), 'utf8'),
    readFile(from(file.trust.fleetRoot), 'utf8'),
  ]);
  return {
    origins: platformOrigins(file),
    serverTrust,
    fleetRoot,
    factory: file.factory && { ca: from(file.factory.ca), key: from(file.factory.key) },
    provisioningOperator: file.services.provisioning.operator,
    operatorTokenFile: file.operator && from(file.operator.tokenFile),
  };
}

function parse(path: string, text: string): EndpointsFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: no JSON`, { cause });
  }
  const result = EndpointsFile.safeParse(json);
  if (!result.success) throw new Error(`${path}: ${z.prettifyError(result.error)}`, { cause: result.error });
  return result.data;
}
