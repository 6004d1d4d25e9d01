/** Names a statement by its kind and its first table, so that a trace tells statements apart without holding any of their text. */

export interface StatementName {
  /** `INSERT outbox`, `COMMIT` */
  readonly name: string;
  readonly operation: string;
  readonly table: string | undefined;
}

/** What follows a table's introduction, and no function: `FROM unnest(` is none. */
const TABLE =
  /\b(?:INTO|UPDATE|FROM|JOIN)\s+(?:ONLY\s+)?"?(?!(?:LATERAL|SELECT)\b)([a-z_][a-z0-9_]{0,62})"?(?![a-z0-9_"]|\s*\()/gi;
/** In front of a statement's own verb: the names of `WITH`. */
const COMMON =
  /(?:\bWITH(?:\s+RECURSIVE)?|,)\s+([a-z_][a-z0-9_]*)\s*(?:\([^()]*\))?\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(/gi;
const VERB = /\b(?:SELECT|INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY)\b/gi;
const KNOWN_AT_MOST = 2_000;
const known = new Map<string, StatementName>();

export function statementName(text: string): StatementName {
  const before = known.get(text);
  if (before) return before;
  const named = nameOf(text);
  // Statements are written in the code, with parameters: there are not many. Where one is put together there are, and they are not kept.
  if (known.size < KNOWN_AT_MOST) known.set(text, named);
  return named;
}

function nameOf(text: string): StatementName {
  const first = /^[\s(]*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? 'UNKNOWN';
  if (first === 'START') return { name: 'BEGIN', operation: 'BEGIN', table: undefined };
  const verbs = [...text.matchAll(VERB)].map(([verb]) => verb.toUpperCase());
  const writes = verbs.find((verb) => verb !== 'SELECT');
  // `WITH` says nothing: what it changes does. `FOR UPDATE` changes nothing.
  const operation = first === 'WITH' ? (isLock(text, verbs) ? 'SELECT' : (writes ?? 'SELECT')) : first;
  if (!verbs.length) return { name: operation, operation, table: undefined };
  const common = new Set([...text.matchAll(COMMON)].map(([, name]) => name));
  const tables = [...text.matchAll(TABLE)].map(([, table]) => table!).filter((table) => !common.has(table));
  const own = operation === 'INSERT' || operation === 'UPDATE' ? writtenBy(text, operation) : undefined;
  const table = own ?? tables.find((one) => !['set', 'of', 'skip'].includes(one.toLowerCase()));
  return { name: table ? `${operation} ${table}` : operation, operation, table };
}

function isLock(text: string, verbs: readonly string[]): boolean {
  const writes = verbs.filter((verb) => verb !== 'SELECT').length;
  return writes === [...text.matchAll(/\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b/gi)].length;
}

function writtenBy(text: string, operation: 'INSERT' | 'UPDATE'): string | undefined {
  const pattern =
    operation === 'INSERT'
      ? /\bINSERT\s+INTO\s+"?([a-z_][a-z0-9_]*)/i
      : /(?<!FOR\s|KEY\s)\bUPDATE\s+(?:ONLY\s+)?"?([a-z_][a-z0-9_]*)/i;
  return pattern.exec(text)?.[1];
}
