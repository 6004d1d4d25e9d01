/** Carries a template out: the same text as Helm's engine gives for the part of its language that parse.ts reads and functions.ts has. */
import { FUNCTIONS, isMap, isTrue, printed } from './functions.ts';
import type { Command, Node, Pipeline, Term } from './parse.ts';

/** Every `define` of a chart, by name. */
export type Definitions = ReadonlyMap<string, readonly Node[]>;

/** The text of `nodes` with `dot` as `.` and `$`. Throws with the line of what cannot be done. */
export function execute(nodes: readonly Node[], dot: unknown, definitions: Definitions): string {
  return new Execution(definitions).run(nodes, new Scope(undefined, [['', dot]]), dot);
}

class Scope {
  readonly #parent: Scope | undefined;
  readonly #variables: Map<string, unknown>;

  constructor(parent: Scope | undefined, variables: readonly (readonly [string, unknown])[] = []) {
    this.#parent = parent;
    this.#variables = new Map(variables);
  }

  get(name: string): unknown {
    return this.#holder(name).#variables.get(name);
  }

  declare(name: string, value: unknown): void {
    this.#variables.set(name, value);
  }

  assign(name: string, value: unknown): void {
    this.#holder(name).#variables.set(name, value);
  }

  #holder(name: string): Scope {
    if (this.#variables.has(name)) return this;
    if (!this.#parent) throw new Error(`no variable $${name}`);
    return this.#parent.#holder(name);
  }
}

class Execution {
  readonly #definitions: Definitions;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  run(nodes: readonly Node[], scope: Scope, dot: unknown): string {
    return nodes.map((node) => this.#node(node, scope, dot)).join('');
  }

  #node(node: Node, scope: Scope, dot: unknown): string {
    if (node.kind === 'text') return node.text;
    const value = this.#located(node.line, () => this.#pipeline(node.pipeline, scope, dot));
    switch (node.kind) {
      case 'print':
        return this.#located(node.line, () => printed(value));
      case 'set':
        if (node.declare) scope.declare(node.name, value);
        else scope.assign(node.name, value);
        return '';
      case 'if':
        return this.run(isTrue(value) ? node.then : node.otherwise, new Scope(scope), dot);
      case 'with':
        return isTrue(value)
          ? this.run(node.then, new Scope(scope), value)
          : this.run(node.otherwise, new Scope(scope), dot);
      case 'range': {
        const entries = entriesOf(value);
        if (entries.length === 0) return this.run(node.otherwise, new Scope(scope), dot);
        const bound = ([key, item]: readonly [unknown, unknown]): [string, unknown][] => {
          const [first, second] = node.names;
          if (second !== undefined)
            return [
              [first as string, key],
              [second, item],
            ];
          return first === undefined ? [] : [[first, item]];
        };
        return entries.map((entry) => this.run(node.then, new Scope(scope, bound(entry)), entry[1])).join('');
      }
    }
  }

  #pipeline(pipeline: Pipeline, scope: Scope, dot: unknown): unknown {
    let carried: [unknown] | [] = [];
    for (const command of pipeline) carried = [this.#command(command, carried, scope, dot)];
    return carried[0];
  }

  #command([head, ...rest]: Command, carried: readonly unknown[], scope: Scope, dot: unknown): unknown {
    if (head.kind !== 'function') {
      const value = this.#term(head, scope, dot);
      const given = [...rest.map((term) => this.#term(term, scope, dot)), ...carried];
      // A method, as `.Files.Get` is one.
      if (typeof value === 'function') return value(...given);
      if (given.length > 0) throw new Error('only a function takes arguments');
      return value;
    }
    // As in Go, neither looks further than it must.
    if (head.name === 'and' || head.name === 'or') {
      let value: unknown;
      for (const term of rest) {
        value = this.#term(term, scope, dot);
        if (isTrue(value) === (head.name === 'or')) return value;
      }
      return carried.length > 0 ? carried[0] : value;
    }
    return this.#call(head.name, [...rest.map((term) => this.#term(term, scope, dot)), ...carried]);
  }

  #call(name: string, values: readonly unknown[]): unknown {
    if (name === 'include') {
      const [template, context] = values;
      const nodes = this.#definitions.get(String(template));
      if (!nodes) throw new Error(`no template "${template}"`);
      return this.run(nodes, new Scope(undefined, [['', context]]), context);
    }
    const work = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (!work) throw new Error(`no function ${name}`);
    return work(...values);
  }

  #term(term: Term, scope: Scope, dot: unknown): unknown {
    switch (term.kind) {
      case 'literal':
        return term.value;
      case 'dot':
        return field(dot, term.path);
      case 'variable':
        return field(scope.get(term.name), term.path);
      case 'group':
        return field(this.#pipeline(term.pipeline, scope, dot), term.path);
      case 'function':
        return this.#call(term.name, []);
    }
  }

  #located<T>(line: number, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(/^line \d+: /.test(message) ? message : `line ${line}: ${message}`, { cause });
    }
  }
}

/** As in Go: what is missing in a map is nothing; a field of nothing is a mistake. */
function field(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (at === undefined || at === null)
      throw new Error(`nil pointer: .${path.join('.')} has nothing before "${name}"`);
    at = isMap(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at;
}

function entriesOf(value: unknown): (readonly [unknown, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const);
  if (isMap(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]] as const);
  if (typeof value === 'number') return Array.from({ length: value }, (_, index) => [index, index] as const);
  throw new Error('a range over what has no parts');
}
