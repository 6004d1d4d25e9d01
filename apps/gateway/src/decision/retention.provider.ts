import type { QueryRunner } from 'typeorm';

/** Puts the configured rule in force, by the owner role. Rules are added, never changed: each proof names the one it fell under. */
export async function setDecisionRetention(owner: QueryRunner, keepDays: number | null): Promise<void> {
  await owner.query(
    `INSERT INTO retention_rules (keep_days)
     SELECT $1::integer WHERE $1::integer IS DISTINCT FROM (SELECT keep_days FROM retention_rules ORDER BY id DESC LIMIT 1)`,
    [keepDays],
  );
}
