/** Spoils messages: byte by byte, by what parsers stumble over, and before they are signed, so that what is behind the signature is tried too. */

/** A small generator that gives the same numbers for the same seed (mulberry32). */
export class Dice {
  constructor(private state: number) {}

  /** 0 to `sides` - 1. */
  roll(sides: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.roll(choices.length)]!;
  }
}

const SNAGS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '\\u',
    '\\ud800',
    '\\u0000',
    'null',
    'true',
    '-',
    '-0',
    '1e999',
    '0.1e-400',
  ],
  ...[
    '9007199254740992',
    '18446744073709551616',
    '__proto__',
    '"typ":',
    '"records":',
    '"seq":',
    '..',
    '=',
    '\u00e9',
    '\n',
  ],
  ...[
    0x00, 0x18, 0x1b, 0x3b, 0x40, 0x5f, 0x7f, 0x80, 0x9b, 0x9f, 0xa0, 0xbb, 0xbf, 0xc2, 0xd2, 0xf6, 0xf7, 0xf9, 0xfb,
    0xff,
  ].map((byte) => Buffer.from([byte])),
  Buffer.from('9b00000000ffffffff', 'hex'),
  Buffer.from('f97e00', 'hex'),
  Buffer.from('fb7ff0000000000000', 'hex'),
  Buffer.alloc(70, 0x81),
  Buffer.from('['.repeat(70)),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xef, 0xbb, 0xbf]),
].map((snag) => Buffer.from(snag));

/** One to four changes. */
export function mutate(bytes: Uint8Array, dice: Dice): Buffer {
  let mutated = Buffer.from(bytes);
  for (let left = 1 + dice.roll(4); left > 0; left--) mutated = change(mutated, dice);
  return mutated;
}

function change(bytes: Buffer, dice: Dice): Buffer<ArrayBuffer> {
  const at = dice.roll(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + dice.roll(16));
  const [before, cut, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (dice.roll(6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at]! ^= 1 << dice.roll(8);
      return flipped;
    }
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, cut, cut, after]);
    case 3:
      return Buffer.concat([before, dice.of(SNAGS), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([before, dice.of(SNAGS), after]);
    default:
      return Buffer.from(
        dice.roll(8) === 0 ? before : bytes.map((byte, index) => (index === at ? dice.roll(256) : byte)),
      );
  }
}

const VALUES: readonly unknown[] = [
  ...[0, -1, 1.5, 2 ** 53 - 1, 2 ** 53, 1e300, -0, 5e-324, '', '7', 'main', '\u0000', 'é', '__proto__', null, true],
  ...[[], {}, [[]], [{}], { a: { b: [1, null] } }, 'x'.repeat(300), Array(50).fill(0)],
];
const NAMES = ['device_id', 'stream', 'epoch', 'seq', 'ts', 'telemetry', 'records', 'typ', 'kid', '', 'a', '__proto__'];

/** A payload whose shape may be wrong, to be signed as it is. */
export function misshape(payload: Record<string, unknown>, dice: Dice): Record<string, unknown> {
  const entries = Object.entries(payload);
  for (let left = dice.roll(3); left > 0; left--) {
    const at = dice.roll(entries.length + 1);
    const name = dice.of(NAMES);
    switch (dice.roll(4)) {
      case 0:
        entries.splice(at, 1);
        break;
      case 1:
        entries.push([name, dice.of(VALUES)]);
        break;
      case 2:
        if (entries[at]) entries[at] = [entries[at][0], dice.of(VALUES)];
        break;
      default:
        if (entries[at]) entries[at] = [name, entries[at][1]];
    }
  }
  return Object.fromEntries(entries);
}
