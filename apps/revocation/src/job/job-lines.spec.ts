import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import type { LineFormat } from './job.js';
import { formatOf, JobLineReader } from './job-lines.js';
import { textLines } from './text-lines.js';

const THUMBPRINT = `${'t'.repeat(42)}A`;

function read(format: LineFormat, ...lines: string[]) {
  const reader = new JobLineReader(format);
  return lines.flatMap((text, i) => {
    const line = reader.read(i + 1, text);
    return line ? [`${line.line} ${line.kind} ${line.detail ?? line.value}`] : [];
  });
}

describe('a line', () => {
  test.each<[string, string[], string[]]>([
    ['serials as openssl prints them', ['serial', '0A:0B', '', 'ff\r'], ['2 serial 0a0b', '4 serial ff']],
    ['any column that is known', ['"Device_ID",note', 'car-1,x', ',y'], ['2 device car-1', '3 invalid names nothing']],
    [
      'a thumbprint before all',
      ['serial,thumbprint', `01,${THUMBPRINT}`, '01,'],
      [`2 thumbprint ${THUMBPRINT}`, '3 serial 01'],
    ],
    ['one of two is nobody knows which', ['serial,device_id', '01,car-1'], ['2 invalid names more than one thing']],
    ['a byte order mark', ['\uFEFFserial', '01'], ['2 serial 01']],
    ['nonsense', ['serial', 'zz', 'x'.repeat(1025)], ['2 invalid no serial', '3 invalid longer than 1024 bytes']],
  ])('CSV: %s', (_what, lines, expected) => {
    expect(read('csv', ...lines)).toEqual(expected);
  });

  test.each<[string, string]>([
    [`{"thumbprint":"${THUMBPRINT}","serial":"01"}`, `1 thumbprint ${THUMBPRINT}`],
    ['{"serial":"1"}', '1 serial 01'],
    ['{"device_id":"car-1"}', '1 device car-1'],
    ['{"serial":7}', '1 invalid no serial'],
    ['["01"]', '1 invalid no JSON object'],
    ['{"serial":"01"', '1 invalid no JSON object'],
  ])('NDJSON: %s', (text, expected) => {
    expect(read('ndjson', text)).toEqual([expected]);
  });

  it('is none under a header that names nothing', () => {
    expect(() => read('csv', '0a0b', '0c0d')).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  });
});

test.each([
  ['text/csv', 'csv'],
  ['application/x-ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['text/plain', undefined],
])('%s is %p', (type, format) => expect(formatOf(type)).toBe(format));

describe('textLines', () => {
  const cut = async (bytes: Buffer, sizes: readonly number[]) => {
    const chunks: Buffer[] = [];
    for (let from = 0, i = 0; from < bytes.length; i += 1) {
      const size = sizes[i % sizes.length] ?? 1;
      chunks.push(bytes.subarray(from, from + size));
      from += size;
    }
    const lines: string[] = [];
    for await (const { number, text } of textLines(
      (async function* () {
        yield* chunks;
      })(),
    ))
      lines[number - 1] = text;
    return lines;
  };

  it('gives the same lines however the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '\r', ',') }), { minLength: 1 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        async (lines, sizes) => {
          const text = `${lines.join('\n')}\n`;
          expect(await cut(Buffer.from(text), sizes)).toEqual(lines);
        },
      ),
    );
  });

  it('keeps a long line by its beginning, and counts on', async () => {
    const [long, next] = await cut(Buffer.from(`${'x'.repeat(10_000)}\nnext`), [777]);
    expect(long).toBe('x'.repeat(4096));
    expect(next).toBe('next');
  });
});
