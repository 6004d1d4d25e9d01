import { expect, test } from '@jest/globals';
import { negotiate } from './media-type.js';

const OFFERS = ['application/json', 'application/x-ndjson', 'text/event-stream'] as const;

test.each([
  [undefined, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['text/*', 'text/event-stream'],
  ['Application/X-NDJSON; charset=utf-8', 'application/x-ndjson'],
  ['text/html, application/x-ndjson;q=0.9, */*;q=0.1', 'application/x-ndjson'],
  ['application/json;q=0.2, text/event-stream;q=0.5', 'text/event-stream'],
  ['application/json;q=0, text/event-stream', 'text/event-stream'],
  ['text/html', undefined],
  ['application/json;q=x', undefined],
])('%s gets %s', (accept, expected) => expect(negotiate(accept, OFFERS)).toBe(expected));
