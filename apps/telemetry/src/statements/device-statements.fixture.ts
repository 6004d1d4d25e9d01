/** Finds the SQL in a source text, and says which tables of devices a statement reaches by anything but the device. */

const LITERAL = /`((?:[^`\\]|\\.)*)`|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/g;
const STATEMENT = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|COPY|DECLARE)\s/;
/** A table where a statement names one: not a function, which has its brackets there, but for what is inserted into. */
const NAMED =
  /\b(?:(INTO)\s+([a-z_]+)\b|(FROM|JOIN|UPDATE|USING)\s+(?:ONLY\s+)?([a-z_]+)\b(?!\s*\()(?:\s+(?:AS\s+)?(?!ON\b|USING\b|SET\b|WHERE\b|ORDER\b|GROUP\b|LIMIT\b|FOR\b|JOIN\b|CROSS\b|LEFT\b|INNER\b|SELECT\b|VALUES\b|UNION\b|RETURNING\b)([a-z_][a-z0-9_]*))?)/gi;

/** The statements in a TypeScript source: every literal that begins like one, with the file's own constants put in, comments left out. */
export function statementsIn(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(LITERAL)]
    .map(([, template, single, double]) => template ?? single ?? double ?? '')
    .filter((text) => STATEMENT.test(text))
    .map((text) => text.replace(/\$\{([A-Z_]+)\}/g, (whole, name: string) => constantOf(code, name) ?? whole));
}

function constantOf(code: string, name: string): string | undefined {
  const [, , text] = new RegExp(`const ${name} =\\s*(['\`])([\\s\\S]*?)\\1`).exec(code) ?? [];
  return text;
}

/**
 * @param tables those that belong to devices: each has a column `device_id`
 * @returns those that the statement reaches without one: neither compared, nor joined by it, nor inserted with it
 */
export function unkeyedTables(statement: string, tables: ReadonlySet<string>): string[] {
  const sql = statement.replace(/--.*$/gm, '').replace(/\s+/g, ' ');
  const derived = new Set(
    [...sql.matchAll(/\b([a-z_]+)(?: \([^)]*\))? AS (?:NOT )?(?:MATERIALIZED )?\(/gi)].map(([, name]) => name!),
  );
  return [...sql.matchAll(NAMED)].flatMap(([, into, inserted, , read, alias]) => {
    const table = (into ? inserted : read)!;
    if (!tables.has(table) || derived.has(table)) return [];
    const keyed = into ? insertsDevice(sql, table) : reachesByDevice(sql, alias ? [table, alias] : [table]);
    return keyed ? [] : [table];
  });
}

function insertsDevice(sql: string, table: string): boolean {
  return new RegExp(`INTO ${table}(?: (?:AS )?[a-z_]+)? \\([^)]*\\bdevice_id\\b`, 'i').test(sql);
}

function reachesByDevice(sql: string, names: readonly string[]): boolean {
  if (/\bUSING \((?:\s*[a-z_]+,)*\s*device_id\b/i.test(sql)) return true;
  const name = names.join('|');
  const column = `(?:(?:${name})\\.)?device_id`;
  const value = '(?:\\$\\d|ANY ?\\(|[a-z_]+\\.device_id|[a-z_]+\\.id\\b)';
  const compared = new RegExp(
    `(?<![a-z_.])${column} ?= ?${value}|[a-z_]+\\.device_id ?= ?(?:${name})\\.device_id`,
    'i',
  );
  const row = new RegExp(`\\(${column},[^)]*\\) ?(?:=|IN) ?\\(`, 'i');
  return compared.test(sql) || row.test(sql);
}
