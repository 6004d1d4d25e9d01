/** What the services say of themselves, and whether an answer is what they said. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Said } from './client.js';

export type Schema = { readonly [keyword: string]: unknown };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

export interface Response {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly 'x-outrider-listeners': readonly string[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses: Readonly<Record<string, Response & { readonly $ref?: string }>>;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly 'x-outrider-served': readonly string[];
}

/** Where they do not name what they did not parse: any route may answer so (the document's `info` says it). */
const ANYWHERE = [405, 431];
const JSON_TYPES = ['application/json', 'application/problem+json'];

export class Described {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: false, validateSchema: false });
  private readonly closed: object;

  constructor(readonly document: Document) {
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.ajv);
    // An answer may grow, but not unnoticed: here nothing is taken that the document does not name.
    this.closed = closing({ $id: 'document', components: document.components }) as object;
    this.ajv.addSchema(this.closed, 'document');
  }

  /** Every operation: [path, method, operation]. */
  operations(listener: string): (readonly [path: string, method: string, operation: Operation])[] {
    return Object.entries(this.document.paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, operation]) => operation['x-outrider-listeners'].includes(listener))
        .map(([method, operation]) => [path, method.toUpperCase(), operation] as const),
    );
  }

  /** What is wrong with the answer; undefined where it is as described. */
  misfit(operation: Operation, { status, type, text, headers }: Said): string | undefined {
    if (ANYWHERE.includes(status)) return undefined;
    const response = this.responseOf(operation, status);
    if (!response) return `${status} is not described: ${text.slice(0, 300)}`;
    // What the router itself refuses has no trace yet, and what is answered past it none at all.
    const isTraced = !text.includes('request.not_found') && !operation.operationId.includes('.direct.');
    if (isTraced && !headers['x-trace-id']) return `${status} without X-Trace-Id`;
    const { content } = response;
    if (!content) return text === '' ? undefined : `${status} has a body that is not described`;
    const described = content[type];
    if (!described) return `${status} is ${type || 'of no type'}, described are ${Object.keys(content).join(', ')}`;
    const { schema } = described;
    if (!schema) return undefined;
    const value = JSON_TYPES.includes(type) ? parse(text) : text;
    if (!JSON_TYPES.includes(type) && type !== 'text/plain') return undefined;
    const validate = this.ajv.compile(pointing(closing(schema)) as object);
    if (validate(value)) return undefined;
    return `${status}: ${this.ajv.errorsText(validate.errors)}: ${text.slice(0, 300)}`;
  }

  private responseOf({ responses }: Operation, status: number): Response | undefined {
    const response = responses[String(status)];
    if (!response?.$ref) return response;
    return this.document.components.responses?.[response.$ref.split('/').at(-1) ?? ''] as Response | undefined;
  }
}

/** With every object that names its members taking no others, but for what is open by its nature: refusals. */
function closing(value: unknown, open = false): unknown {
  if (Array.isArray(value)) return value.map((one) => closing(one, open));
  if (typeof value !== 'object' || value === null) return value;
  const isOpen = open || 'allOf' in value;
  const members = Object.entries(value).map(([key, one]) => [
    key,
    key === 'Problem' || key === 'OAuthError' ? one : closing(one, isOpen),
  ]);
  const closed = Object.fromEntries(members) as Record<string, unknown>;
  if (!isOpen && 'properties' in closed && !('additionalProperties' in closed)) closed.additionalProperties = false;
  return closed;
}

/** References into the document that was added. */
function pointing(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/components/', '"document#/components/')) as unknown;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
