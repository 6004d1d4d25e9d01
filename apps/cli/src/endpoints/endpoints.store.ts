/** Finds and reads `endpoints.json`; knows where paths that a user typed are relative to. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Unreachable } from '../exit-code.js';

const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));
const Url = z.url({ protocol: /^https?$/ });
const Faces = z.object({ vehicle: Url.optional(), operator: Url.optional(), http: Url.optional() });
const EndpointsFile = z.object({
  trust: z.object({ server: z.string(), fleetRoot: z.string() }),
  factory: z.object({ ca: z.string(), key: z.string() }).optional(),
  services: z.record(z.string(), Faces),
  operator: z.object({ tokenFile: z.string() }),
  operators: z.record(z.string(), z.object({ tokenFile: z.string(), keyFile: z.string().optional() })).default({}),
  people: z
    .record(z.string(), z.object({ passwordFile: z.string(), totpSecretFile: z.string(), tokenFile: z.string() }))
    .default({}),
});

/** Files as absolute paths. */
export interface Endpoints {
  readonly serverTrust: string;
  readonly fleetRoot: string;
  readonly factory: { readonly ca: string; readonly key: string } | undefined;
  readonly operatorTokenFile: string;
  /** Token files of all operators, by account. */
  readonly operatorTokenFiles: Readonly<Record<string, string>>;
  /** Keys of service accounts, by account. */
  readonly operatorKeyFiles: Readonly<Record<string, string>>;
  /** People whose secrets lie in files: those of the local default. */
  readonly people: Readonly<
    Record<string, { readonly passwordFile: string; readonly totpSecretFile: string; readonly tokenFile: string }>
  >;
  /** Where `login` leaves the token of a person whom endpoints.json does not name. */
  readonly tokenFileOf: (username: string) => string;
  /** Operator origin by service. */
  readonly operator: Readonly<Record<string, string | undefined>>;
}

/** `OUTRIDER_ENDPOINTS`, else `OUTRIDER_HOME/endpoints.json`, else the project's `.outrider/endpoints.json`. */
export function endpointsPath(env: NodeJS.ProcessEnv): string {
  if (env.OUTRIDER_ENDPOINTS) return fromUser(env.OUTRIDER_ENDPOINTS);
  return join(resolve(PROJECT, env.OUTRIDER_HOME || '.outrider'), 'endpoints.json');
}

/** Throws Unreachable when there is no suite, an Error in words when the file is not one. */
export async function readEndpoints(path: string): Promise<Endpoints> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Unreachable(`${path}: not there; start the suite with npm start`, { cause });
  });
  const parsed = EndpointsFile.safeParse(json(path, text));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
  const { trust, factory, operator, operators, people, services } = parsed.data;
  // Relative paths are relative to the folder that holds `.outrider`.
  const from = (file: string): string => resolve(dirname(dirname(path)), file);
  return {
    serverTrust: from(trust.server),
    fleetRoot: from(trust.fleetRoot),
    factory: factory && { ca: from(factory.ca), key: from(factory.key) },
    operatorTokenFile: from(operator.tokenFile),
    operatorTokenFiles: Object.fromEntries(
      Object.entries(operators).map(([account, { tokenFile }]) => [account, from(tokenFile)]),
    ),
    operatorKeyFiles: Object.fromEntries(
      Object.entries(operators).flatMap(([account, { keyFile }]) => (keyFile ? [[account, from(keyFile)]] : [])),
    ),
    people: Object.fromEntries(
      Object.entries(people).map(([name, { passwordFile, totpSecretFile, tokenFile }]) => [
        name,
        { passwordFile: from(passwordFile), totpSecretFile: from(totpSecretFile), tokenFile: from(tokenFile) },
      ]),
    ),
    tokenFileOf: (username) => join(dirname(path), 'operators', `${encodeURIComponent(username)}.token`),
    operator: Object.fromEntries(Object.entries(services).map(([name, faces]) => [name, faces.operator])),
  };
}

/** A path as the user meant it: npm runs us in the project's folder and tells in INIT_CWD where the user stood. */
export function fromUser(path: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), path);
}

function json(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: no JSON`, { cause });
  }
}
