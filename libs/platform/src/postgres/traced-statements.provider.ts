import type { Pool, PoolClient } from 'pg';
import { currentTrace } from '../service/trace.provider.js';
import { statementName } from './statement-name.js';

type Query = (...parts: unknown[]) => unknown;
const traced = new WeakSet<PoolClient>();

/** From now on each statement that `pool` carries for a recorded request is a span: its kind and its table, never its text or values. */
export function traceStatements(pool: Pool, schema: string): void {
  pool.on('acquire', (client) => {
    if (traced.has(client)) return;
    traced.add(client);
    const query = client.query.bind(client) as Query;
    client.query = ((...parts: unknown[]) => tracedQuery(query, parts, schema)) as typeof client.query;
  });
}

function tracedQuery(query: Query, parts: unknown[], schema: string): unknown {
  const span = currentTrace()?.span;
  const [first] = parts;
  const text = typeof first === 'string' ? first : (first as { text?: unknown } | undefined)?.text;
  // Whoever submits itself (a cursor) ends by other ways than an answer.
  if (!span || typeof text !== 'string' || typeof (first as { submit?: unknown }).submit === 'function')
    return query(...parts);
  const { name, operation, table } = statementName(text);
  const { span: statement } = span.child(name, 'client', {
    'db.system.name': 'postgresql',
    'db.namespace': schema,
    'db.operation.name': operation,
    ...(table ? { 'db.collection.name': table } : {}),
  });
  const last = parts.at(-1);
  if (typeof last === 'function') {
    const answered = (error: unknown, ...rest: unknown[]) => {
      if (error) statement?.fail(error);
      statement?.end();
      last(error, ...rest);
    };
    return query(...parts.slice(0, -1), answered);
  }
  const answer = query(...parts) as Promise<unknown>;
  answer.catch((error: unknown) => statement?.fail(error)).finally(() => statement?.end());
  return answer;
}
