/** Renders docs/configuration.md from the schemas of the services. */
import { FILE_KINDS, type FileKind } from './config-file.js';

/** JSON Schema, as far as it is shown. */
interface Node {
  readonly type?: string | readonly string[];
  readonly file?: FileKind;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Node;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly format?: string;
}

export interface DescribedService {
  readonly service: string;
  readonly schema: object;
}

interface Line {
  readonly key: string;
  readonly node: Node;
  readonly optional: boolean;
}

const HEAD = [
  '# Configuration',
  '',
  "Made from the services' schemas (`node libs/platform/dist/service/config-page.command.js > docs/configuration.md`); a test holds it to them.",
  '',
  'A service is started as `main.js --config FILE`. The file is JSON; unknown keys are refused, and a secret is never in it, nor in an environment variable: it names a file.',
  '',
  "- `main.js --config FILE --check-config` opens nothing. It names every key that is wrong, every file that cannot be read or used, a key that is not its certificate's, and warns of",
  '  certificates that are about to end and of secrets that others may read. Exit code 0: good, or warnings alone; 2: the service would not start. With `--form-only` it looks at the file alone. In a clone: `npm run -s check-config`, on the Node that is pinned.',
  '- `main.js --describe-config` prints the JSON Schema, for editors and other tools.',
  '- `main.js --config FILE --migrate` brings the database to where this version wants it.',
  '',
  '**What is followed while running**, within two seconds and without a restart: certificates, keys and anchors of listeners, identity and trust (new handshakes see the new certificate, kept connections live on, and those',
  'whose anchor went away are closed), the OCSP signer, DPoP nonce keys, the key that seals signing keys, the client secret of the identity provider, the manifest of CAs. Passwords and CA files of NATS and PostgreSQL are read at each new',
  'connection, the PIN of a token whenever a session with it is opened. What cannot be used leaves the old in force and is named in `/readyz`. Any other key takes a restart.',
  '',
  '"-" stands for a key that has to be given; "absent" for one that may be left out.',
];

/** The page as Markdown. Keys that every service has alike are listed once. @throws Error for a key that nothing is said of */
export function configPage(services: readonly DescribedService[]): string {
  const lines = new Map(services.map(({ service, schema }) => [service, linesOf('', schema as Node)]));
  const all = [...lines.values()];
  const text = (line: Line) => row(line);
  const common = (all[0] ?? []).filter((line) => all.every((each) => each.some((other) => text(other) === text(line))));
  const isCommon = new Set(common.map(text));
  const sections = [...lines].flatMap(([service, own]) => {
    const rest = own.filter((line) => !isCommon.has(text(line)));
    return rest.length === 0 ? [] : section(`\`${service}\``, rest);
  });
  return [...HEAD, ...section('Every service', common), ...sections, ''].join('\n');
}

function section(title: string, lines: readonly Line[]): string[] {
  return ['', `## ${title}`, '', '| key | type | default | meaning |', '|---|---|---|---|', ...lines.map(row)];
}

function row({ key, node, optional }: Line): string {
  const standard = node.default !== undefined ? `\`${JSON.stringify(node.default)}\`` : optional ? 'absent' : '-';
  const description = (node.description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
  return `| \`${key}\` | ${typeOf(node)} | ${standard} | ${description} |`;
}

function linesOf(prefix: string, node: Node): Line[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    const shown = plain(member);
    if (shown.description === undefined) throw new Error(`nothing is said of ${key}`);
    const optional = !(node.required ?? []).includes(name);
    return [{ key, node: shown, optional }, ...below(key, shown)];
  });
}

function below(key: string, node: Node): Line[] {
  if (node.properties) return linesOf(key, node);
  if (typeof node.additionalProperties === 'object') return linesOf(`${key}.<name>`, plain(node.additionalProperties));
  const items = node.items && plain(node.items);
  return items?.properties ? linesOf(`${key}[]`, items) : [];
}

/** Of what may be null or one thing, that thing; it keeps what is said of the two together. */
function plain(node: Node): Node {
  const others = node.anyOf?.filter(({ type }) => type !== 'null');
  if (others?.length !== 1 || node.anyOf?.length !== 2) return node;
  const { anyOf: _, ...outer } = node;
  return { ...others[0], ...outer };
}

function typeOf(node: Node): string {
  if (node.file) return FILE_KINDS[node.file];
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  if (node.items) return `list of ${typeOf(plain(node.items))}${bounds(node.minItems, node.maxItems)}`;
  if (node.properties || node.additionalProperties) return 'object';
  if (node.type === 'integer' || node.type === 'number') {
    const least = node.minimum ?? (node.exclusiveMinimum === undefined ? undefined : `above ${node.exclusiveMinimum}`);
    return `${node.type}${bounds(least, node.maximum)}`;
  }
  const type = node.format === 'uri' ? 'URL' : String(node.type ?? 'any');
  return `${type}${node.maxLength === undefined ? '' : `, at most ${node.maxLength} characters`}`;
}

/** Bounds that every safe integer keeps are none. */
function bounds(least: number | string | undefined, most: number | undefined): string {
  const from = least === undefined || least === Number.MIN_SAFE_INTEGER ? '' : String(least);
  const to = most === undefined || most === Number.MAX_SAFE_INTEGER ? '' : String(most);
  if (from === '' && to === '') return '';
  if (to === '') return `, ${from} or more`.replace(/, above (\S+) or more/, ', above $1');
  return from === '' ? `, at most ${to}` : `, ${from} to ${to}`;
}
