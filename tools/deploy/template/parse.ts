/** Reads a Go template, as far as Helm charts use that language, into a tree. What is not understood is refused, never passed over. */
import { type Piece, pieces, type Token, tokens } from './tokens.ts';

export type Term =
  | { readonly kind: 'literal'; readonly value: unknown }
  /** `.a.b`: `path` is empty for the dot itself. */
  | { readonly kind: 'dot'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'group'; readonly pipeline: Pipeline; readonly path: readonly string[] };

/** A function with its arguments, or one term alone. */
export type Command = readonly [Term, ...Term[]];
export type Pipeline = readonly Command[];

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline; readonly line: number }
  | {
      readonly kind: 'set';
      readonly name: string;
      readonly declare: boolean;
      readonly pipeline: Pipeline;
      readonly line: number;
    }
  | {
      readonly kind: 'if' | 'with';
      readonly pipeline: Pipeline;
      readonly line: number;
      readonly then: Node[];
      readonly otherwise: Node[];
    }
  | {
      readonly kind: 'range';
      readonly names: readonly string[];
      readonly pipeline: Pipeline;
      readonly line: number;
      readonly then: Node[];
      readonly otherwise: Node[];
    };

export interface Template {
  readonly nodes: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

export function parseTemplate(source: string): Template {
  const reader = new Reader(pieces(source));
  const nodes = reader.block();
  if (reader.ended !== undefined) throw new Error(`"${reader.ended}" without a beginning`);
  return { nodes, defined: reader.defined };
}

class Reader {
  readonly defined = new Map<string, readonly Node[]>();
  /** The `end`, or the `else ...`, that the last block stopped at; undefined at the end of the file. */
  ended: string | undefined;
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(all: readonly Piece[]) {
    this.#pieces = all;
  }

  block(): Node[] {
    const nodes: Node[] = [];
    for (let piece = this.#pieces[this.#at]; piece; piece = this.#pieces[this.#at]) {
      this.#at += 1;
      if (piece.kind === 'text') {
        nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      if (/^(end|else)\b/.test(piece.text)) {
        this.ended = piece.text;
        return nodes;
      }
      try {
        const node = this.#action(piece);
        if (node) nodes.push(node);
      } catch (cause) {
        throw new Error(`line ${piece.line}: {{ ${piece.text} }}: ${(cause as Error).message}`, { cause });
      }
    }
    this.ended = undefined;
    return nodes;
  }

  #action({ text, line }: Piece): Node | undefined {
    const [, keyword, rest = ''] = /^(if|with|range|define)\b\s*([\s\S]*)$/.exec(text) ?? [];
    if (keyword === 'define') {
      const [name] = tokens(rest);
      if (name?.kind !== 'string') throw new Error('a definition has a name in quotes');
      const nodes = this.block();
      if (this.ended !== 'end') throw new Error('a definition without its end');
      this.defined.set(name.value, nodes);
      return undefined;
    }
    if (keyword === 'if' || keyword === 'with') return this.#branch(keyword, rest, line);
    if (keyword === 'range') {
      const [, names = '', pipeline = rest] = /^((?:\$\w+\s*,\s*)?\$\w+)\s*:=\s*([\s\S]*)$/.exec(rest) ?? [];
      const { then, otherwise } = this.#bodies(line);
      return {
        kind: 'range',
        names: names.match(/\w+/g) ?? [],
        pipeline: parsePipeline(tokens(pipeline)),
        line,
        then,
        otherwise,
      };
    }
    const assigned = /^\$(\w+)\s*(:?=)\s*([\s\S]*)$/.exec(text);
    if (assigned) {
      const [, name = '', sign, pipeline = ''] = assigned;
      return { kind: 'set', name, declare: sign === ':=', pipeline: parsePipeline(tokens(pipeline)), line };
    }
    return { kind: 'print', pipeline: parsePipeline(tokens(text)), line };
  }

  #branch(kind: 'if' | 'with', condition: string, line: number): Node {
    return { kind, pipeline: parsePipeline(tokens(condition)), line, ...this.#bodies(line) };
  }

  #bodies(line: number): { then: Node[]; otherwise: Node[] } {
    const then = this.block();
    if (this.ended === 'end') return { then, otherwise: [] };
    if (this.ended === undefined) throw new Error('no end');
    const again = /^else\s+(if|with)\b\s*([\s\S]*)$/.exec(this.ended);
    if (again) return { then, otherwise: [this.#branch(again[1] as 'if' | 'with', again[2] ?? '', line)] };
    const otherwise = this.block();
    if (this.ended !== 'end') throw new Error('no end');
    return { then, otherwise };
  }
}

function parsePipeline(given: readonly Token[]): Pipeline {
  const terms = new Terms(given);
  const pipeline = terms.pipeline();
  if (!terms.done) throw new Error('too much in it');
  return pipeline;
}

class Terms {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(given: readonly Token[]) {
    this.#tokens = given;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  pipeline(): Pipeline {
    const commands = [this.#command()];
    while (this.#take('|')) commands.push(this.#command());
    return commands;
  }

  #command(): Command {
    const terms: Term[] = [];
    for (let token = this.#tokens[this.#at]; token; token = this.#tokens[this.#at]) {
      if (token.kind === 'sign' && token.value !== '(') break;
      this.#at += 1;
      terms.push(this.#term(token));
    }
    const [first, ...rest] = terms;
    if (!first) throw new Error('an empty command');
    if (rest.length > 0 && (first.kind === 'literal' || first.kind === 'group'))
      throw new Error('only functions take arguments');
    return [first, ...rest];
  }

  #term(token: Token): Term {
    switch (token.kind) {
      case 'string':
      case 'number':
        return { kind: 'literal', value: token.value };
      case 'path':
        return { kind: 'dot', path: fields(token.value) };
      case 'variable': {
        const [name = '', ...path] = token.value.slice(1).split('.');
        return { kind: 'variable', name, path };
      }
      case 'word':
        if (token.value === 'true' || token.value === 'false')
          return { kind: 'literal', value: token.value === 'true' };
        return token.value === 'nil' ? { kind: 'literal', value: undefined } : { kind: 'function', name: token.value };
      case 'sign': {
        const pipeline = this.pipeline();
        if (!this.#take(')')) throw new Error('a parenthesis that does not close');
        const field = this.#tokens[this.#at];
        if (field?.kind !== 'field') return { kind: 'group', pipeline, path: [] };
        this.#at += 1;
        return { kind: 'group', pipeline, path: fields(field.value) };
      }
      default:
        throw new Error(`${token.value} stands alone`);
    }
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || token.value !== sign) return false;
    this.#at += 1;
    return true;
  }
}

function fields(path: string): string[] {
  return path.split('.').filter(Boolean);
}
