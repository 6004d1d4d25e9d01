import { expect, it } from '@jest/globals';
import { FeedLine, feedEntry } from './feed-line.js';
import { addCommands, changeCommands, nothingHeld, preparedVersion } from './runtime-commands.js';

const device = (value: string, gone?: true) =>
  ({ kind: 'device', value, ...(gone ? { gone } : {}) }) as FeedLine & { kind: 'device' };

it('adds what is new, deletes what is gone, and a key once', () => {
  const held = nothingHeld();
  const commands = (entries: readonly ReturnType<typeof device>[]) => changeCommands('/m', held, entries as never);
  expect(commands([device('car-1'), device('car-2'), device('car-1')])).toEqual([
    'add map /m/devices.map <<\ncar-1 1\ncar-2 1\n',
  ]);
  expect(commands([device('car-1')])).toEqual([]);
  expect(commands([device('car-1', true), device('car-3')])).toEqual([
    'del map /m/devices.map car-1',
    'add map /m/devices.map <<\ncar-3 1\n',
  ]);
  expect(commands([device('car-9', true)])).toEqual([]);
  expect(commands([device('car-4'), device('car-4', true)])).toEqual([]);
});

it('splits what does not fit into one payload', () => {
  const values = Array.from({ length: 450 }, (_, n) => `car-${n}`);
  const commands = addCommands('/m/devices.map', values, 7);
  expect(commands).toHaveLength(3);
  expect(commands.every((one) => one.startsWith('add map @7 /m/devices.map <<\n'))).toBe(true);
  expect(commands.join('').match(/car-/g)).toHaveLength(450);
  expect(preparedVersion('New version created: 12\n\n')).toBe(12);
  expect(preparedVersion('Unknown map')).toBeUndefined();
});

it('takes only what an edge can match, and no value that ends a word of a command', () => {
  const entry = (parts: object) =>
    feedEntry({ kind: 'device', value: 'car-1', mode: 'deny', reason: 'x', sequence: 1, ...parts } as never, 0);
  expect(entry({})).toEqual({ kind: 'device', value: 'car-1' });
  expect(entry({ mode: 'recovery' })).toEqual({ kind: 'device', value: 'car-1', gone: true });
  expect(entry({ removed: true })).toEqual({ kind: 'device', value: 'car-1', gone: true });
  expect(entry({ until: new Date(0).toISOString() })).toEqual({ kind: 'device', value: 'car-1', gone: true });
  expect(entry({ kind: 'key', value: 'x'.repeat(43) })).toBeUndefined();
  for (const value of ['car 1', 'car-1;quit', 'car-1\nclear map', '']) expect(entry({ value })).toBeUndefined();
  expect(entry({ kind: 'network', value: '10.0.0.0/8' })).toBeDefined();
  expect(FeedLine.safeParse({ kind: 'network', value: '10.0.0.0/8\n' }).success).toBe(false);
});
