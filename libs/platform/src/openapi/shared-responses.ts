/** Refusals that many operations have alike stand once in a document. */
import type { Operation } from './operation.js';
import type { JsonSchema } from './schemas.js';

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;
type Responses = Readonly<Record<string, JsonSchema>>;

const PREFIX = '#/components/responses/';

/** Every refusal by reference: the same answer has the same name in every document. */
export function shareResponses(paths: Paths): { readonly paths: Paths; readonly responses: Responses } {
  const responses: Record<string, JsonSchema> = {};
  const shared = mapResponses(paths, (status, response) => {
    if (Number(status) < 400 || typeof response.$ref === 'string') return response;
    const name = `Refusal${status}-${digest(JSON.stringify(response))}`;
    responses[name] = response;
    return { $ref: `${PREFIX}${name}` };
  });
  return { paths: shared, responses };
}

/** The reverse. */
export function inlineResponses(paths: Paths, responses: Responses): Paths {
  return mapResponses(paths, (_status, response) => {
    const { $ref } = response;
    return typeof $ref === 'string' ? (responses[$ref.slice(PREFIX.length)] ?? response) : response;
  });
}

function mapResponses(paths: Paths, change: (status: string, response: JsonSchema) => JsonSchema): Paths {
  return mapValues(paths, (operations) =>
    mapValues(operations, (operation) => ({
      ...operation,
      responses: mapValues(operation.responses, (response, status) => change(status, response)),
    })),
  );
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

/** FNV-1a, 32 bits: a name, not a proof. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
