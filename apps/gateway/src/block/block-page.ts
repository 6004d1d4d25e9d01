/** How blocks and their history look, a page at a time. */
import type { Block, BlockChange } from './block.js';
import { membersOf, nameOf } from './block-target.js';

/** @param found at most one more than `limit`, which tells that there are more. */
export function blockPage(found: readonly Block[], limit: number) {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const items = page.map((block) => ({
    ...documentOf(block),
    delivered: block.deliveredVersion === block.version,
  }));
  return { items, next: found.length > limit && last ? nameOf(last.target) : null };
}

export function historyPage(found: readonly BlockChange[], limit: number) {
  const page = found.slice(0, limit);
  const items = page.map((change) => ({
    id: change.id,
    blocked: change.blocked,
    ...documentOf(change),
    trace_id: change.traceId,
  }));
  return { items, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
}

function documentOf(block: Omit<Block, 'version' | 'deliveredVersion'>) {
  return {
    kind: block.target.kind,
    ...membersOf(block.target),
    mode: block.mode,
    reason: block.reason,
    ticket: block.ticket,
    by: block.changedBy,
    at: block.changedAt.toISOString(),
    expires_at: block.expiresAt?.toISOString(),
  };
}
