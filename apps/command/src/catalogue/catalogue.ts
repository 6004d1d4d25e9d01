/** The commands there are: name, parameters, whether a fresh nonce of the vehicle is needed. */
import { DomainError } from '@outrider/errors';
import { z } from 'zod';

export interface CommandKind {
  readonly name: string;
  /** Released only against the vehicle's fresh nonce (DESIGN §7). */
  readonly critical: boolean;
  /** It moves something on the vehicle: policies look at speed and place first. */
  readonly remoteControl: boolean;
  readonly parameters: z.ZodType<Record<string, unknown>>;
}

const KINDS: readonly CommandKind[] = [
  {
    name: 'honk',
    critical: false,
    remoteControl: false,
    parameters: z.strictObject({ times: z.int().min(1).max(5).default(1) }),
  },
  { name: 'locate', critical: false, remoteControl: false, parameters: z.strictObject({}) },
  {
    name: 'set-interval',
    critical: false,
    remoteControl: false,
    parameters: z.strictObject({ seconds: z.int().min(1).max(3600) }),
  },
  { name: 'unlock', critical: true, remoteControl: true, parameters: z.strictObject({}) },
  { name: 'immobilise', critical: true, remoteControl: true, parameters: z.strictObject({}) },
];

const BY_NAME: ReadonlyMap<string, CommandKind> = new Map(KINDS.map((kind) => [kind.name, kind]));

/** Of a command that was accepted once: one that the catalogue has lost since counts as remote control. */
export function isRemoteControl(name: string): boolean {
  return BY_NAME.get(name)?.remoteControl ?? true;
}

/** The kind and the parameters as they will be signed. Throws `command.unknown_name`, `command.parameters_invalid`. */
export function checkCommand(
  name: string,
  parameters: unknown,
): { kind: CommandKind; parameters: Record<string, unknown> } {
  const kind = BY_NAME.get(name);
  if (!kind) throw new DomainError('command.unknown_name', { detail: `one of ${[...BY_NAME.keys()].join(', ')}` });
  const parsed = kind.parameters.safeParse(parameters ?? {});
  if (!parsed.success) {
    const detail = parsed.error.issues
      .map((issue) => `${issue.path.join('.') || 'parameters'}: ${issue.message}`)
      .join('; ');
    throw new DomainError('command.parameters_invalid', { cause: parsed.error, detail });
  }
  return { kind, parameters: parsed.data };
}
