/** What a vehicle can do: one handler a command name. A handler decides from parameters and the vehicle's state; plug-ins add and replace. */

import type { OutcomeResult } from './command.js';
import { isCritical } from './command.js';

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
  carryOut(parameters: Readonly<Record<string, unknown>>, vehicle: VehicleNow): CarriedOut | Promise<CarriedOut>;
}

export class RefusedParameters extends Error {
  override readonly name = 'RefusedParameters';
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
  ): Promise<CarriedOut> {
    const handler = this.byName.get(name);
    if (!handler) return { result: 'refused', detail: 'unknown_name' };
    try {
      return await handler.carryOut(parameters, vehicle);
    } catch (error) {
      if (error instanceof RefusedParameters) return { result: 'refused', detail: 'parameters' };
      return {
        result: 'uncertain',
        detail: `the handler failed: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }
}
