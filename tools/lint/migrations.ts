/** A migration leaves the version before able to work: services of both run while a rolling update goes through. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { sourceFiles } from './sources.ts';

const MIGRATION = /\/(\d{13}-[a-z0-9-]+)\.migration\.ts$/;

/** What the version before would stumble over. Statements are looked at by themselves, comments left out. */
const RULES: readonly (readonly [pattern: RegExp, finding: string])[] = [
  [/\bDROP\s+(?:TABLE|VIEW|COLUMN|SCHEMA|TYPE|SEQUENCE|FUNCTION)\b/i, 'drops what the version before may use'],
  [
    /\bALTER\s+TABLE\b[^;]*\bDROP\s+(?!CONSTRAINT|DEFAULT|NOT\s+NULL|IDENTITY|EXPRESSION)\w+/i,
    'drops a column that the version before may use',
  ],
  [/\bRENAME\s+(?:TO|COLUMN|CONSTRAINT)\b/i, 'renames what the version before calls by its name'],
  [/\bALTER\s+COLUMN\s+\S+\s+(?:SET\s+DATA\s+)?TYPE\b/i, 'changes a type under the version before'],
  [/\bALTER\s+COLUMN\s+\S+\s+SET\s+NOT\s+NULL\b/i, 'demands a value that the version before may not give'],
  [
    /\bADD\s+COLUMN\b(?![^,]*\b(?:DEFAULT|GENERATED)\b)[^,]*\bNOT\s+NULL\b/i,
    'adds a column that the version before does not fill',
  ],
  [
    /\bADD\s+(?:CONSTRAINT\s+\S+\s+)?(?:CHECK|FOREIGN\s+KEY|UNIQUE|PRIMARY\s+KEY)\b/i,
    'adds a constraint that the version before does not know',
  ],
  [/^REVOKE\b(?!.* ON FUNCTION .* FROM PUBLIC$)/i, 'takes a right that the version before may use'],
];

/**
 * Said in the migration where it is meant: `// contract: <the release that no longer uses it>`, in a release of its own after that one.
 * Those of the first release had no version before.
 */
const MEANT = /^\s*\/\/ contract: \S/m;

/** `<file>: <what it does>`, for each migration that the version before would not survive. */
export function incompatibleMigrations(): string[] {
  return sourceFiles().flatMap((path) => {
    const [, name] = MIGRATION.exec(path) ?? [];
    if (name === undefined || FIRST_RELEASE.has(`${path.split('/')[1]}/${name}`)) return [];
    return findingsOf(readFileSync(join(PROJECT, path), 'utf8')).map((finding) => `${path}: ${finding}`);
  });
}

export function findingsOf(text: string): string[] {
  if (MEANT.test(text)) return [];
  // A new table may have whatever it likes: nobody knows it yet.
  const made = new Set(
    [...text.matchAll(/\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)/gi)].map(([, table]) => table),
  );
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/ .*$/gm, '');
  return statements(code)
    .filter(
      (statement) => !made.has(/\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"?(\w+)/i.exec(statement)?.[1] ?? ''),
    )
    .flatMap((statement) =>
      RULES.filter(([pattern]) => pattern.test(statement)).map(([, finding]) => `${finding}: ${shown(statement)}`),
    );
}

/** Every string of the file that is a statement, cut at its semicolons. */
function statements(code: string): string[] {
  const strings = [...code.matchAll(/`([^`]*)`|'((?:[^'\\\n]|\\.)*)'/g)].map(
    ([, template, plain]) => template ?? plain ?? '',
  );
  return strings
    .flatMap((text) => text.split(';'))
    .map((text) => text.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim());
}

function shown(statement: string): string {
  return statement.length > 120 ? `${statement.slice(0, 120)}...` : statement;
}

/** What it must catch, and what it must let pass. */
const PLANTED: readonly (readonly [statement: string, findings: number])[] = [
  ['ALTER TABLE devices DROP COLUMN vin', 2],
  ['ALTER TABLE devices DROP vin', 1],
  ['DROP TABLE devices', 1],
  ['ALTER TABLE devices RENAME COLUMN vin TO number', 1],
  ['ALTER TABLE devices ALTER COLUMN vin TYPE bigint USING vin::bigint', 1],
  ['ALTER TABLE devices ALTER COLUMN vin SET NOT NULL', 1],
  ['ALTER TABLE devices ADD COLUMN vin text NOT NULL', 1],
  ['ALTER TABLE devices ADD COLUMN a text NOT NULL, ADD COLUMN b text', 1],
  ['ALTER TABLE devices ADD CONSTRAINT short CHECK (length(vin) < 18)', 1],
  ['REVOKE UPDATE ON devices FROM provisioning', 1],
  ['ALTER TABLE devices ADD COLUMN vin text', 0],
  ["ALTER TABLE devices ADD COLUMN vin text NOT NULL DEFAULT ''", 0],
  ["ALTER TABLE devices ADD COLUMN vin text DEFAULT '' NOT NULL", 0],
  ['ALTER TABLE devices ALTER COLUMN vin DROP NOT NULL', 0],
  ['CREATE INDEX devices_by_vin ON devices (vin)', 0],
  ['DROP INDEX devices_by_vin', 0],
  ['CREATE TABLE trucks (vin text NOT NULL); ALTER TABLE trucks ADD CONSTRAINT one UNIQUE (vin)', 0],
];

/** Plants that it judges otherwise than it should. */
export function misjudgedMigrations(): string[] {
  return PLANTED.flatMap(([statement, expected]) => {
    const found = findingsOf(`await runner.query(\`${statement}\`);`).length;
    return found === expected ? [] : [`${statement}: ${found} findings instead of ${expected}`];
  });
}

/** Of those that break a rule, the ones that ran before there was a version before. Nothing joins them. */
const FIRST_RELEASE: ReadonlySet<string> = new Set([
  'gateway/1764300000000-recovery',
  'revocation/1764000100000-lasting-claims',
  'revocation/1764000200000-crls-by-issuer',
  'revocation/1764300000000-recovery',
  'revocation/1764400000000-status-changes',
  'revocation/1764400100000-keys-and-jobs',
  'telemetry/1764600000000-monthly-partitions',
  'token/1764520000000-elevations',
]);
