/** Keeps what a spec prints, in the entries of Jest's `ConsoleBuffer`, for the report of its file. */
import { format } from 'node:util';

export function keepConsole() {
  const entries = [];
  for (const type of ['log', 'info', 'warn', 'error', 'debug']) {
    console[type] = (...parts) => {
      const origin = (new Error().stack ?? '').split('\n').slice(2).join('\n');
      entries.push({ message: format(...parts), origin, type });
    };
  }
  return entries;
}
