import { expect, it } from '@jest/globals';
import { EventStreamReader } from './event-stream.js';

it('gives each event once, however the text is cut', () => {
  const text = ': here\n\nid: 1-2\nevent: change\ndata: {"a":\ndata: 1}\n\nevent: refused\r\ndata:x\r\n\r\ndata: cut';
  const expected = [
    { event: 'change', data: '{"a":\n1}', id: '1-2' },
    { event: 'refused', data: 'x', id: '1-2' },
  ];
  expect(new EventStreamReader().read(text)).toEqual(expected);
  for (const size of [1, 2, 7]) {
    const reader = new EventStreamReader();
    const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, n) => text.slice(n * size, (n + 1) * size));
    expect(parts.flatMap((part) => reader.read(part))).toEqual(expected);
  }
});
