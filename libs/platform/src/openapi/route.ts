/** One route as its decorators tell it: what the document is made of. */
import type { StepUp } from '@outrider/admission';
import type { z } from 'zod';
import type { RouteDescription } from './description.js';

export type Listener = 'vehicle' | 'operator' | 'http';

export type Rule =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'certificate' }
  | { readonly kind: 'token'; readonly scopes: readonly string[]; readonly control: boolean }
  | { readonly kind: 'operator'; readonly scope: string; readonly stepUp: StepUp; readonly unlimited?: boolean };

export interface Route {
  /** E.g. `devices.show`, unique in its service. */
  readonly name: string;
  readonly method: string;
  /** As the router has it: `/v1/devices/:id`. */
  readonly path: string;
  readonly listener: Listener;
  readonly rule: Rule;
  readonly inputs: readonly {
    readonly in: 'body' | 'query' | 'path';
    readonly name?: string;
    readonly schema: z.ZodType;
    readonly types?: readonly string[];
  }[];
  readonly description: RouteDescription;
}
