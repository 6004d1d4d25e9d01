/** Small HTTP questions to the suite. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The service's `/readyz`; undefined when nothing answers. */
export async function readiness(httpPort: number): Promise<Answer | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`, { signal: AbortSignal.timeout(3000) });
    return { status: answer.status, body: await answer.json().catch(() => undefined) };
  } catch {
    return undefined;
  }
}

/** Polls until `/readyz` is 200; false when `giveUp` says so first. */
export async function untilReady(httpPort: number, giveUp: () => boolean): Promise<boolean> {
  for (;;) {
    if ((await readiness(httpPort))?.status === 200) return true;
    if (giveUp()) return false;
    await sleep(150);
  }
}
