/** Cuts a Go template into text and actions, and an action into tokens; trims white space where `{{-` and `-}}` say so. */

export interface Piece {
  readonly kind: 'text' | 'action';
  readonly text: string;
  /** Line that it begins on, from 1. */
  readonly line: number;
}

const ACTION = /\{\{(-(?=\s))?(?:\s*\/\*[\s\S]*?\*\/\s*|(?:"(?:\\.|[^"\\])*"|`[^`]*`|(?!-?\}\})[^"`])*)(\s-)?\}\}/g;

/** Text and actions in turn, comments left out. Throws for an action that does not end. */
export function pieces(source: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  let trimNext = false;
  const text = (raw: string, trimEnd: boolean) => {
    let kept = trimNext ? raw.replace(/^[ \t\r\n]+/, '') : raw;
    if (trimEnd) kept = kept.replace(/[ \t\r\n]+$/, '');
    if (kept.includes('{{')) throw new Error(`line ${lineOf(source, at)}: an action that does not end`);
    if (kept !== '') found.push({ kind: 'text', text: kept, line: lineOf(source, at) });
  };
  for (const match of source.matchAll(ACTION)) {
    const inner = match[0].slice(2, -2);
    const trimBefore = /^-\s/.test(inner);
    const trimAfter = /\s-$/.test(inner);
    text(source.slice(at, match.index), trimBefore);
    const body = inner.slice(trimBefore ? 1 : 0, trimAfter ? -1 : undefined).trim();
    if (!body.startsWith('/*')) found.push({ kind: 'action', text: body, line: lineOf(source, match.index) });
    trimNext = trimAfter;
    at = match.index + match[0].length;
  }
  text(source.slice(at), false);
  return found;
}

export type Token =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  /** A word, `.field.field`, `$variable.field`, or one of `( ) | , := =`. */
  | { readonly kind: 'word' | 'path' | 'variable' | 'sign'; readonly value: string }
  /** `.field` straight after a closing parenthesis. */
  | { readonly kind: 'field'; readonly value: string };

const TOKEN =
  /\s*(?:("(?:\\.|[^"\\])*")|`([^`]*)`|(-?\d+(?:\.\d+)?)|(\$\w*(?:\.\w+)*)|(\.(?:\w+(?:\.\w+)*)?)|(\w+)|(:=|[()|,=]))/y;

/** Throws for a character that no action of this language has. */
export function tokens(action: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < action.trimEnd().length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(action);
    if (!match) throw new Error(`not understood: ${action.slice(from)}`);
    const [, quoted, raw, number, variable, path, word, sign] = match;
    const afterParenthesis = action[from - 1] === ')' && action[from] === '.';
    if (quoted !== undefined) found.push({ kind: 'string', value: JSON.parse(quoted) as string });
    else if (raw !== undefined) found.push({ kind: 'string', value: raw });
    else if (number !== undefined) found.push({ kind: 'number', value: Number(number) });
    else if (variable !== undefined) found.push({ kind: 'variable', value: variable });
    else if (path !== undefined) found.push({ kind: afterParenthesis ? 'field' : 'path', value: path });
    else if (word !== undefined) found.push({ kind: 'word', value: word });
    else if (sign !== undefined) found.push({ kind: 'sign', value: sign });
  }
  return found;
}

function lineOf(source: string, index: number): number {
  return source.slice(0, index).split('\n').length;
}
