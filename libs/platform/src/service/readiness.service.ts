import { Injectable } from '@nestjs/common';

export interface Check {
  readonly ok: boolean;
  readonly detail?: unknown;
}

export interface ReadinessReport {
  /** `degraded`: a shared dependency is away; every pod sees the same, so none is taken out for it. */
  readonly status: 'ready' | 'degraded' | 'starting' | 'draining';
  readonly checks: Readonly<Record<string, Check>>;
}

/** What `/readyz` says. A service becomes ready once all checks have passed together, and stays so until it drains. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, () => Check | Promise<Check>>();
  private phase: 'starting' | 'serving' | 'draining' = 'starting';

  /** `check` must answer within two seconds; a throw counts as not ok. */
  add(name: string, check: () => Check | Promise<Check>): void {
    this.checks.set(name, check);
  }

  drain(): void {
    this.phase = 'draining';
  }

  async report(): Promise<ReadinessReport> {
    const results = await Promise.all([...this.checks].map(async ([name, check]) => [name, await run(check)] as const));
    const checks = Object.fromEntries(results);
    const allOk = results.every(([, result]) => result.ok);
    if (this.phase === 'draining') return { status: 'draining', checks };
    if (this.phase === 'starting' && !allOk) return { status: 'starting', checks };
    this.phase = 'serving';
    return { status: allOk ? 'ready' : 'degraded', checks };
  }
}

async function run(check: () => Check | Promise<Check>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Check>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: 'no answer within 2 s' }), 2000);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}
