/** What a vehicle can do: one handler a command name. A handler decides from parameters and the vehicle's state; plug-ins add and replace. */
import { z } from 'zod';
import { isCritical, type OutcomeResult } from './command.js';

/** What became of the records that an operator asked for. `refused`: the platform has others of these numbers; `givenUp`: it did not take the log that they are in. */
export interface LogsDelivered {
  readonly records: number;
  readonly delivered: number;
  readonly known: number;
  readonly refused: number;
  readonly givenUp: number;
}

/** What a handler may ask of the agent itself. */
export interface AgentMeans {
  /** Delivers what was recorded in the last `seconds`, as the platform orders it; undefined where that did not come about in time. */
  deliverLogs(seconds: number): Promise<LogsDelivered | undefined>;
}

/** What a handler may look at. `speedKmh` undefined: the vehicle has not measured anything yet. */
export interface VehicleNow {
  readonly speedKmh: number | undefined;
  readonly position: { readonly lat: number; readonly lon: number } | undefined;
}

export interface CarriedOut {
  readonly result: OutcomeResult;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Written to the vehicle's state: name -> value. */
  readonly effects?: Readonly<Record<string, string>>;
  /** False: what it says of its effects is so. Default true. */
  readonly simulated?: boolean;
  /** How long a real actuator would take; for handlers that only simulate. */
  readonly takesMs?: number;
}

/** What a crash in the midst of carrying out means: nobody can say, or doing it once more is the same as having done it once. */
export type AfterCrash = 'uncertain' | 'repeatable';

export interface CommandHandler {
  readonly name: string;
  /** True: never without a nonce of this vehicle. What the agent itself calls critical stays so, whatever a plug-in says. */
  readonly critical: boolean;
  readonly afterCrash: AfterCrash;
  /** Throws RefusedParameters for parameters that do not fit. */
  carryOut(
    parameters: Readonly<Record<string, unknown>>,
    vehicle: VehicleNow,
    agent: AgentMeans,
  ): CarriedOut | Promise<CarriedOut>;
}

export class RefusedParameters extends Error {
  override readonly name = 'RefusedParameters';
}

/** The vehicle ends in the midst of it: nothing is said of the command until its next start. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** @throws RefusedParameters */
export function fitting<S extends z.ZodType>(schema: S, parameters: unknown): z.output<S> {
  const parsed = schema.safeParse(parameters);
  if (!parsed.success) throw new RefusedParameters(z.prettifyError(parsed.error));
  return parsed.data;
}

export class Handlers {
  private readonly byName: ReadonlyMap<string, CommandHandler>;

  /** Later ones replace earlier ones of the same name. */
  constructor(handlers: readonly CommandHandler[]) {
    this.byName = new Map(handlers.map((handler) => [handler.name, handler]));
  }

  find(name: string): CommandHandler | undefined {
    return this.byName.get(name);
  }

  isCritical(name: string): boolean {
    return isCritical(name) || (this.byName.get(name)?.critical ?? false);
  }

  /** A name or parameters this vehicle does not know are refused; it never guesses. What a handler throws otherwise has failed, and may have happened. */
  async carryOut(
    name: string,
    parameters: Readonly<Record<string, unknown>>,
    vehicle: VehicleNow,
    agent: AgentMeans,
  ): Promise<CarriedOut> {
    const handler = this.byName.get(name);
    if (!handler) return { result: 'refused', detail: 'unknown_name' };
    try {
      return await handler.carryOut(parameters, vehicle, agent);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      if (error instanceof RefusedParameters) return { result: 'refused', detail: 'parameters' };
      return {
        result: 'uncertain',
        detail: `the handler failed: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }
}
