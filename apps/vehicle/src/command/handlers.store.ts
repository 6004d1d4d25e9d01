/** Handlers of commands as plug-ins: every `.js` and `.mjs` file of a folder, each with a handler, or a list of them, as its default export. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { type CommandHandler, Handlers } from './handlers.js';
import { OWN } from './own.js';
import { SIMULATED } from './simulated.js';

/** What an agent without plug-ins carries out. */
export const BUILT_IN: readonly CommandHandler[] = [...SIMULATED, ...OWN];

const Handler = z.custom<CommandHandler>(
  (value) =>
    z
      .object({
        name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
        critical: z.boolean(),
        afterCrash: z.enum(['uncertain', 'repeatable']),
        carryOut: z.custom<unknown>((member) => typeof member === 'function'),
      })
      .safeParse(value).success,
  'no command handler: name, critical, afterCrash and carryOut are needed',
);
const Exported = z.object({ default: z.union([Handler, z.array(Handler)]) });

/** The built-in ones, then those of the folder, which replace them by name. Throws an Error naming the file that is none. */
export async function loadHandlers(folder: string | undefined): Promise<Handlers> {
  const loaded: CommandHandler[] = [...BUILT_IN];
  const files = folder === undefined ? [] : (await readdir(folder)).filter((file) => /\.m?js$/.test(file)).sort();
  for (const file of files) {
    const path = join(folder!, file);
    const exported = Exported.safeParse(await import(pathToFileURL(path).href));
    if (!exported.success) throw new Error(`${path}: ${z.prettifyError(exported.error)}`);
    loaded.push(...[exported.data.default].flat());
  }
  return new Handlers(loaded);
}
