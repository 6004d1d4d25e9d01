import { describe, expect, it } from '@jest/globals';
import { isLoopback, isPlainBeyondLoopback } from './loopback.js';

describe('loopback', () => {
  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('is %s', (host) =>
    expect(isLoopback(host)).toBe(true),
  );

  it.each(['127.example.com', '127.0.0.1.example.com', '10.0.0.1', 'localhost.example.com', '[::]', ''])(
    'is not "%s"',
    (host) => expect(isLoopback(host)).toBe(false),
  );
});

it.each<[string, boolean]>([
  ['http://127.0.0.1:4318/v1/traces', false],
  ['http://[::1]:4318/v1/traces', false],
  ['https://collector.example/v1/traces', false],
  ['http://collector.example/v1/traces', true],
  ['http://10.0.0.1:4318', true],
])('of %s it is %s that it can be read on the way', (url, expected) =>
  expect(isPlainBeyondLoopback(url)).toBe(expected),
);
