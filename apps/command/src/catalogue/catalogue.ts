/** The commands there are, by their files: whether a name, its parameters and its sender fit. */
import { DomainError } from '@outrider/errors';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { isStorable } from '../outcome/outcome.js';
import { CommandFile } from './command-file.js';

export interface CommandKind extends Omit<CommandFile, 'parameters'> {
  /** As its file says it. */
  readonly schema: Record<string, unknown>;
  readonly validate: ValidateFunction;
}

export type Catalogue = ReadonlyMap<string, CommandKind>;

/** As it is stored and signed: a command is a word, not a file. */
const MAX_PARAMETERS_BYTES = 4096;

/** `files`: parsed JSON by file name. @throws Error naming the file, for one that does not fit, a second one of a name, and none at all */
export function buildCatalogue(files: Readonly<Record<string, unknown>>): Catalogue {
  const kinds = new Map<string, CommandKind>();
  for (const [file, content] of Object.entries(files)) {
    const parsed = CommandFile.safeParse(content);
    if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
    const { parameters: schema, ...rest } = parsed.data;
    if (kinds.has(rest.name)) throw new Error(`${file}: another file has ${rest.name} already`);
    kinds.set(rest.name, { ...rest, schema, validate: compile(file, schema) });
  }
  if (kinds.size === 0) throw new Error('the catalogue is empty');
  return kinds;
}

/** Of a command that was accepted once: one that the catalogue has lost since counts as remote control, and is for no recovery. */
export function policyWordOf(catalogue: Catalogue, name: string): CommandFile['policy'] {
  return catalogue.get(name)?.policy ?? { remoteControl: true, recovery: false };
}

/** The kind and the parameters as they will be signed. @throws DomainError `command.unknown_name`, `command.parameters_invalid` */
export function checkCommand(
  catalogue: Catalogue,
  name: string,
  given: Record<string, unknown> | undefined,
): { kind: CommandKind; parameters: Record<string, unknown> } {
  const kind = catalogue.get(name);
  if (!kind) throw new DomainError('command.unknown_name', { detail: `one of ${[...catalogue.keys()].join(', ')}` });
  const parameters = structuredClone(given ?? {});
  if (!kind.validate(parameters)) {
    const faults = (kind.validate.errors ?? []).map(
      ({ instancePath, message }) =>
        `${instancePath.slice(1).replaceAll('/', '.') || 'parameters'}: ${message ?? 'does not fit'}`,
    );
    throw new DomainError('command.parameters_invalid', { detail: faults.slice(0, 5).join('; ').slice(0, 500) });
  }
  if (Buffer.byteLength(JSON.stringify(parameters)) > MAX_PARAMETERS_BYTES)
    throw new DomainError('command.parameters_invalid', { detail: `more than ${MAX_PARAMETERS_BYTES} bytes` });
  if (!isStorable(parameters))
    throw new DomainError('command.parameters_invalid', { detail: 'a NUL, half a surrogate pair, or nested too deep' });
  return { kind, parameters };
}

/** What a sender is by its token. */
export interface Sender {
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
}

/** @throws DomainError `auth.scope_insufficient` for a critical command without the right to send one, `auth.role_insufficient` */
export function requireRight({ critical, name, roles }: CommandKind, sender: Sender): void {
  if (critical && !sender.scopes.includes('command:send-critical'))
    throw new DomainError('auth.scope_insufficient', { detail: 'a critical command needs command:send-critical' });
  if (roles && !roles.some((role) => sender.roles.includes(role)))
    throw new DomainError('auth.role_insufficient', { detail: `${name} is for ${roles.join(', ')}` });
}

/** The document of the operator API. */
export function kindDocument({ validate: _validate, schema, policy, ...kind }: CommandKind) {
  return {
    name: kind.name,
    title: kind.title,
    critical: kind.critical,
    scopes: ['command:send', ...(kind.critical ? ['command:send-critical'] : [])],
    ...(kind.roles ? { roles: kind.roles } : {}),
    policy: { remote_control: policy.remoteControl, recovery: policy.recovery },
    parameters: schema,
    ...(kind.timeoutSeconds ? { timeout: kind.timeoutSeconds } : {}),
    ...(kind.expirySeconds ? { expires_in: kind.expirySeconds } : {}),
    after_crash: kind.afterCrash,
  };
}

/** Strict: a keyword that nobody knows would be a check that nobody makes. */
function compile(file: string, schema: Record<string, unknown>): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, useDefaults: true, allErrors: false });
  try {
    return ajv.compile(schema);
  } catch (cause) {
    throw new Error(`${file}: parameters: ${(cause as Error).message}`, { cause });
  }
}
