/** What the runner tells of the images that it built and the containers that it started (`npm run e2e:containers`). */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { run } from '../harness/run.js';

const Image = z.object({ service: z.string(), name: z.string(), bytes: z.number(), layers: z.array(z.string()) });
const Facts = z.object({
  images: z.array(Image),
  /** One of them, built again from nothing. */
  again: z.array(Image),
  coldStartMs: z.number(),
  containersConf: z.string(),
});

export const facts = Facts.parse(JSON.parse(readFileSync(process.env.OUTRIDER_E2E_CONTAINERS ?? '', 'utf8')));

/** Runs podman as the runner did; its standard output. Throws with what it said when it fails. */
export async function podman(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, CONTAINERS_CONF: facts.containersConf };
  const { code, stdout, stderr } = await run('podman', args, { env, timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`podman ${args[0]}: ${stderr}`);
  return stdout;
}

/** Reads an image's files where the engine keeps them, below the folder that it hands out. */
export async function inImage<T>(image: string, look: (root: string) => T): Promise<T> {
  const root = (await podman('image', 'mount', image)).trim();
  try {
    return look(root);
  } finally {
    await podman('image', 'unmount', image);
  }
}
