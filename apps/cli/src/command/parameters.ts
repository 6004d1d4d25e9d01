/** Reads `--param k=v`: numbers, true, false and null as what they are, anything else as text. */
import { UsageError } from '../exit-code.js';

export function parseParameters(given: readonly string[]): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  for (const text of given) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`${text}: a parameter is written name=value`);
    const name = text.slice(0, at);
    if (Object.hasOwn(parameters, name)) throw new UsageError(`${name} is given twice`);
    parameters[name] = parameterValue(text.slice(at + 1));
  }
  return parameters;
}

function parameterValue(text: string): unknown {
  if (/^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text === 'null' ? null : text;
}
