import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EventStream } from './event-stream.js';

const TEXT =
  ': here\n\nevent: command\ndata: {"a":1}\n\nevent: token\r\ndata: {}\r\n\r\ndata: x\ndata: y\n\nevent: none\n\n';
const EVENTS = [
  { name: 'command', data: '{"a":1}' },
  { name: 'token', data: '{}' },
  { name: 'message', data: 'x\ny' },
];

test('however the text is cut, the events are the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(TEXT.length), { maxLength: 10 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), TEXT.length];
      const stream = new EventStream();
      const events = at.slice(1).flatMap((end, index) => stream.push(TEXT.slice(at[index], end)));
      expect(events).toEqual(EVENTS);
    }),
  );
});

test('an event without end is refused before it fills the memory', () => {
  const stream = new EventStream();
  expect(() => {
    for (let n = 0; n < 200; n += 1) stream.push('x'.repeat(1024));
  }).toThrow(RangeError);
});
