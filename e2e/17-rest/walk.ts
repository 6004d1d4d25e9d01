/** Walks the operations of one listener of one service, and says of each request what was not as described. */
import { at, type Service } from '../harness/endpoints.js';
import type { Asked, Client, Said } from './client.js';
import type { Described, Operation } from './document.js';
import { type Example, examplesOf, type Ground, parametersOf } from './examples.js';
import { queryOf, urlOf, wrongFor } from './sample.js';

type Face = 'vehicle' | 'operator' | 'http';
export interface Walk {
  readonly service: Service;
  readonly face: Face;
  readonly described: Described;
  readonly client: Client;
  readonly ground: Ground;
  /** As an Authorization header has it; undefined: without. */
  readonly authorization: (operation: Operation) => string | undefined;
}

/** What comes first makes what comes later show. */
const ORDER = ['PUT', 'POST', 'PATCH', 'GET', 'DELETE'];
/** Guesses at passwords slow down whoever makes them, and everybody else of this address. */
const LEFT_ALONE = ['token.signIn.password'];
const TOO_LARGE = 80 * 1024 * 1024;

export interface Step {
  readonly what: string;
  readonly said: Said | undefined;
  readonly misfit: string | undefined;
}

/** One request by the document: `example`, or what is known of paths like this one. */
async function send(
  walk: Walk,
  [path, method, operation]: readonly [string, string, Operation],
  asked: Partial<Asked> & { readonly path?: Record<string, string>; readonly query?: string; readonly what: string },
): Promise<Step> {
  const { service, face, described, client, ground } = walk;
  const { path: changed = {}, query, what, headers = {}, ...rest } = asked;
  const target = urlOf(path, operation, parametersOf(ground, operation.operationId), changed);
  const url = `${at(service, face)}${target}${query ? `${target.includes('?') ? '&' : '?'}${query}` : ''}`;
  const authorization = 'authorization' in headers ? headers.authorization : walk.authorization(operation);
  const { authorization: _, ...others } = headers;
  const sent = { ...others, ...(authorization ? { authorization } : {}) };
  const said = await client.ask({ method, url, headers: sent, ...rest });
  const name = `${operation.operationId} ${what}`;
  return { what: name, said, misfit: said && described.misfit(operation, said) };
}

function operationsOf({ described, face }: Walk) {
  return described
    .operations(face)
    .filter(([, , { operationId }]) => !LEFT_ALONE.includes(operationId))
    .sort(([, a], [, b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
}

const JSON_TYPE = { 'content-type': 'application/json' };
const jsonOf = ({ requestBody }: Operation) => requestBody?.content['application/json'] !== undefined;

/** Each operation once, as somebody would who has read the document. */
export async function good(walk: Walk): Promise<string[]> {
  const examples = examplesOf(walk.ground);
  const faults: string[] = [];
  for (const one of operationsOf(walk)) {
    const operation = one[2];
    const example: Example = examples[operation.operationId] ?? {};
    const body =
      typeof example.body === 'string' ? example.body : example.body ? JSON.stringify(example.body) : undefined;
    const isJson = body !== undefined && typeof example.body !== 'string';
    const step = await send(walk, one, {
      what: 'good',
      ...(body === undefined ? (jsonOf(operation) ? { body: '{}' } : {}) : { body }),
      headers: { ...(isJson || jsonOf(operation) ? JSON_TYPE : {}), ...example.headers },
      path: { ...example.path },
    });
    faults.push(...faultsOf(step));
    if (example.status && !example.status.includes(step.said?.status ?? 0))
      faults.push(`${step.what}: ${step.said?.status} ${step.said?.text.slice(0, 200)}`);
  }
  return faults;
}

/** Paths, queries and bodies that do not fit. */
export async function bad(walk: Walk): Promise<string[]> {
  const faults: string[] = [];
  for (const one of operationsOf(walk)) {
    const operation = one[2];
    const steps: Step[] = [];
    for (const parameter of operation.parameters) {
      const wrong = wrongFor(parameter);
      if (wrong === undefined || parameter.in === 'header') continue;
      const change =
        parameter.in === 'path'
          ? { path: { [parameter.name]: wrong } }
          : { query: new URLSearchParams({ [parameter.name]: wrong }).toString() };
      steps.push(await send(walk, one, { what: `with a wrong ${parameter.name}`, ...change, ...bodyFor(operation) }));
    }
    for (const { name } of operation.parameters.filter((parameter) => parameter.in === 'query'))
      steps.push(
        await send(walk, one, { what: `with a NUL in ${name}`, query: `${name}=a%00b`, ...bodyFor(operation) }),
      );
    if (queryOf(operation).length > 0)
      steps.push(await send(walk, one, { what: 'with an unknown parameter', query: 'no_such_thing=1' }));
    if (jsonOf(operation)) {
      for (const body of ['{', '[]', '{"no_such_thing":1}', '{"a":1,"a":2}', '{"a":"\\u0000"}'])
        steps.push(await send(walk, one, { what: `with ${body}`, body, headers: JSON_TYPE }));
      const headers = { 'content-type': 'image/png' };
      steps.push(await send(walk, one, { what: 'with a picture', body: '{}', headers }));
    }
    for (const step of steps) {
      faults.push(...faultsOf(step));
      if ((step.said?.status ?? 0) < 400) faults.push(`${step.what}: ${step.said?.status} where a refusal was due`);
    }
  }
  return faults;
}

/** Without a token, and with `tokens` that are none, or not good enough. */
export async function unauthorised(walk: Walk, tokens: Readonly<Record<string, string>>): Promise<string[]> {
  const faults: string[] = [];
  const expected = new Map(Object.entries({ ...tokens, none: '' }).map(([code]) => [code, code]));
  for (const one of operationsOf(walk)) {
    if (one[2].security.every((scheme) => !('operatorToken' in scheme) && !('vehicleToken' in scheme))) continue;
    for (const what of expected.keys()) {
      const authorization = what === 'none' ? '' : (tokens[what] ?? '');
      const { body, headers } = bodyFor(one[2]);
      const step = await send(walk, one, {
        what: `with ${what}`,
        headers: { ...headers, authorization },
        ...(body ? { body } : {}),
      });
      faults.push(...faultsOf(step));
      if (![401, 403].includes(step.said?.status ?? 0)) faults.push(`${step.what}: ${step.said?.status}, not refused`);
    }
  }
  return faults;
}

/** More than a route takes: of a body, a path, a query, a head. */
export async function oversize(walk: Walk): Promise<string[]> {
  const faults: string[] = [];
  for (const one of operationsOf(walk)) {
    const [path, , operation] = one;
    const steps: Step[] = [];
    if (operation.requestBody) {
      const type = Object.keys(operation.requestBody.content)[0] ?? 'application/json';
      const headers = { 'content-type': type };
      steps.push(await send(walk, one, { what: 'with an endless body', announced: TOO_LARGE, headers }));
    }
    for (const [, name = ''] of path.matchAll(/\{(\w+)\}/g))
      steps.push(
        await send(walk, one, {
          what: `with an endless ${name}`,
          path: { [name]: 'a'.repeat(300) },
          ...bodyFor(operation),
        }),
      );
    for (const { name } of operation.parameters.filter((parameter) => parameter.in === 'query'))
      steps.push(
        await send(walk, one, { what: `with a NUL in ${name}`, query: `${name}=a%00b`, ...bodyFor(operation) }),
      );
    if (queryOf(operation).length > 0)
      steps.push(await send(walk, one, { what: 'with an endless query', query: `x=${'a'.repeat(8000)}` }));
    steps.push(await send(walk, one, { what: 'with an endless header', headers: { 'x-endless': 'a'.repeat(20_000) } }));
    for (const step of steps) {
      faults.push(...faultsOf(step));
      if (step.said === undefined) faults.push(`${step.what}: taken`);
      else if (step.said.status < 400) faults.push(`${step.what}: ${step.said.status} where a refusal was due`);
    }
  }
  return faults;
}

function bodyFor(operation: Operation): {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
} {
  return jsonOf(operation) ? { body: '{}', headers: JSON_TYPE } : {};
}

function faultsOf({ what, misfit }: Step): string[] {
  return misfit === undefined ? [] : [`${what}: ${misfit}`];
}
