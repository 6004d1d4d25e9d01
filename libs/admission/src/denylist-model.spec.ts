import { hash } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { Denylist } from './denylist.js';
import type { DenylistEntry, DenylistKind, DenylistSubject } from './denylist-entry.js';
import { decodeValue, EncodedValue, KINDS } from './entry-bytes.js';

const NOW = Date.parse('2026-06-01T00:00:00.000Z');
const thumbprintOf = (n: number) => hash('sha256', `t${n}`, 'base64url');
const serialOf = (n: number) => `${hash('sha1', `i${n % 3}`)}-${hash('sha256', `s${n}`).slice(0, 2 + 2 * (n % 20))}`;

/** Values as they are, and such as lie close to them: other last digits, other cases, other lengths, lone surrogates. */
const VALUES: Record<DenylistKind, fc.Arbitrary<string>> = {
  certificate: near(fc.nat(30).map(thumbprintOf)),
  key: near(fc.nat(30).map(thumbprintOf)),
  serial: near(fc.nat(30).map(serialOf)),
  device: near(fc.nat(30).map((n) => `device-${n}`)),
  token: fc.oneof(
    near(fc.nat(30).map((n) => `jti-${n}`)),
    fc.constantFrom('\ud800', '\udfff', '\ufffd', 'a\ud800', 'a\ufffd', '', '\0', 'ü', 'u\u0308'),
  ),
  network: fc.nat(60).map((n) => `10.${n % 4}.0.0/${8 + (n % 20)}`),
};

function near(values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const spoil = fc.constantFrom<(value: string) => string>(
    (value) => value.toUpperCase(),
    (value) => `${value}A`,
    (value) => value.slice(0, -1),
    (value) => `${value.slice(0, -1)}B`,
    (value) => value.replace('-', '+'),
    (value) => `${value}=`,
  );
  return fc.oneof(
    { weight: 4, arbitrary: values },
    fc.tuple(values, spoil).map(([value, by]) => by(value)),
  );
}

const anyValue = fc.constantFrom(...KINDS).chain((kind) => VALUES[kind].map((value) => ({ kind, value })));
const anyEntry: fc.Arbitrary<DenylistEntry> = fc
  .record({
    name: anyValue,
    mode: fc.constantFrom('deny' as const, 'recovery' as const),
    reason: fc.constantFrom('superseded', 'keyCompromise', '', 'ü'.repeat(64)),
    sequence: fc.nat(60),
    until: fc.option(
      fc.integer({ min: -5, max: 5 }).map((ms) => new Date(NOW + ms).toISOString()),
      { nil: undefined },
    ),
    removed: fc.option(fc.constant(true as const), { nil: undefined, freq: 3 }),
  })
  .map(({ name, until, removed, sequence, ...rest }) => ({
    ...name,
    ...rest,
    sequence: sequence + 1,
    ...(until === undefined ? {} : { until }),
    ...(removed ? { removed } : {}),
  }));

type Step = { apply: DenylistEntry } | { forget: { kind: DenylistKind; value: string } | 'all' };
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: anyEntry.map((apply) => ({ apply })) },
  { weight: 1, arbitrary: anyValue.map((forget) => ({ forget })) },
  { weight: 1, arbitrary: fc.constant({ forget: 'all' as const }) },
);

const keyOf = (kind: string, value: string) => `${kind}\n${value}`;

/** The same, kept as one would without thinking of memory. */
class Model {
  readonly entries = new Map<string, DenylistEntry>();

  take(step: Step): void {
    if ('apply' in step) {
      const { kind, value, sequence } = step.apply;
      if (sequence > (this.entries.get(keyOf(kind, value))?.sequence ?? 0))
        this.entries.set(keyOf(kind, value), step.apply);
      return;
    }
    if (step.forget === 'all') {
      for (const [key, { removed }] of this.entries) if (removed) this.entries.delete(key);
      return;
    }
    const { kind, value } = step.forget;
    if (this.entries.get(keyOf(kind, value))?.removed) this.entries.delete(keyOf(kind, value));
  }

  get live(): DenylistEntry[] {
    return [...this.entries.values()].filter(({ removed }) => !removed);
  }

  get digest(): string {
    const sum = Buffer.alloc(32);
    for (const { kind, value, mode } of this.live) {
      for (const [i, byte] of hash('sha256', `${kind}.${value}.${mode}`, 'buffer').entries()) sum[i]! ^= byte;
    }
    return sum.toString('hex');
  }
}

function take(list: Denylist, step: Step): void {
  if ('apply' in step) list.apply(step.apply);
  else if (step.forget === 'all') list.forgetTombstones();
  else list.forgetTombstone(step.forget.kind, step.forget.value);
}

const namesIn = (steps: readonly Step[]) =>
  steps.flatMap((step) => ('apply' in step ? [step.apply] : step.forget === 'all' ? [] : [step.forget]));

const sorted = (entries: Iterable<DenylistEntry>) =>
  [...entries].sort((l, r) => (keyOf(l.kind, l.value) < keyOf(r.kind, r.value) ? -1 : 1));

const MEMBER: Record<Exclude<DenylistKind, 'network'>, keyof DenylistSubject> = {
  certificate: 'thumbprint',
  serial: 'serial',
  key: 'keyThumbprint',
  device: 'deviceId',
  token: 'tokenId',
};

function expectSame(list: Denylist, model: Model, asked: readonly { kind: DenylistKind; value: string }[]): void {
  expect(sorted(list.entries())).toEqual(sorted(model.entries.values()));
  expect(list.count).toBe(model.live.length);
  expect(list.digest).toBe(model.digest);
  for (const { kind, value } of asked) {
    const known = model.entries.get(keyOf(kind, value));
    expect(list.sequenceOf(kind, value)).toBe(known?.sequence ?? 0);
    expect(list.get(kind, value)).toEqual(known?.removed ? undefined : known);
    if (kind === 'network') continue;
    const stands = known && !known.removed && (known.until === undefined || Date.parse(known.until) > NOW);
    expect(list.match({ [MEMBER[kind]]: value }, NOW)).toEqual(stands ? known : undefined);
  }
}

describe('the compact list against a map', () => {
  test('says the same after whatever was applied and forgotten, of what it holds and of what it does not', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 300 }), fc.array(anyValue, { maxLength: 30 }), (steps, asked) => {
        const list = new Denylist();
        const model = new Model();
        for (const step of steps) {
          take(list, step);
          model.take(step);
        }
        expectSame(list, model, [...asked, ...namesIn(steps)]);
      }),
      { numRuns: 150 },
    );
  });

  test('says the same when it has grown by tens of thousands, lost most of them, and grown again', () => {
    const list = new Denylist();
    const model = new Map<string, number>();
    let sequence = 0;
    const put = (n: number, removed: boolean) => {
      sequence += 1;
      const named = { kind: 'certificate', value: thumbprintOf(n) } as const;
      list.apply({ ...named, mode: 'deny', reason: '', sequence, ...(removed ? { removed: true as const } : {}) });
      if (removed) {
        list.forgetTombstone(named.kind, named.value);
        model.delete(named.value);
      } else model.set(named.value, sequence);
    };
    for (let n = 0; n < 30_000; n += 1) put(n, false);
    const bytes = list.bytes;
    for (let n = 0; n < 30_000; n += 1) if (n % 7 !== 0) put(n, true);
    for (let n = 30_000; n < 55_000; n += 1) put(n, false);
    expect(list.count).toBe(model.size);
    // The places of those that went were given to those that came: no page more, though some tables may have grown.
    expect(list.bytes).toBeLessThan(bytes + 262_144);
    for (let n = 0; n < 60_000; n += 1) {
      const value = thumbprintOf(n);
      if (list.sequenceOf('certificate', value) !== (model.get(value) ?? 0)) throw new Error(`${n} differs`);
    }
    expect([...list.entries()].every(({ value, sequence: at }) => model.get(value) === at)).toBe(true);
  });

  test('a clone is the same list, and another', () => {
    fc.assert(
      fc.property(fc.array(anyStep), fc.array(anyStep), (before, after) => {
        const list = new Denylist();
        const model = new Model();
        for (const step of before) {
          take(list, step);
          model.take(step);
        }
        const copy = list.clone();
        const copied = new Model();
        for (const step of [...before, ...after]) copied.take(step);
        for (const step of after) take(copy, step);
        expectSame(list, model, namesIn([...before, ...after]));
        expectSame(copy, copied, namesIn([...before, ...after]));
      }),
      { numRuns: 50 },
    );
  });

  test('packed in chunks and applied it is the live part of the list, whatever was there before', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 200 }), fc.array(anyEntry), (steps, there) => {
        const list = new Denylist();
        for (const step of steps) take(list, step);
        const into = new Denylist();
        const model = new Model();
        for (const entry of there) {
          into.apply(entry);
          model.take({ apply: entry });
        }
        const live = [...list.entries()].filter(({ removed }) => !removed);
        for (const entry of live) model.take({ apply: entry });
        let count = 0;
        for (const chunk of list.packed(1024)) {
          expect(chunk.length).toBeLessThanOrEqual(1024);
          count += into.applyPacked(chunk);
        }
        expect(count).toBe(live.length);
        expectSame(into, model, live);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a chunk', () => {
  it('that was cut, lengthened or changed is refused, or says only what it may', () => {
    const list = new Denylist();
    for (let n = 0; n < 4; n += 1) {
      list.apply({ kind: 'certificate', value: thumbprintOf(n), mode: 'deny', reason: 'r', sequence: n + 1 });
      list.apply({ kind: 'serial', value: serialOf(n), mode: 'deny', reason: 'r', sequence: n + 10 });
      list.apply({ kind: 'token', value: `j${n}`, mode: 'deny', reason: 'q', sequence: n + 20 });
    }
    const [chunk] = [...list.packed(4096)] as [Buffer];
    for (let length = 0; length < chunk.length; length += 1)
      expect(() => new Denylist().applyPacked(chunk.subarray(0, length))).toThrow(
        expect.objectContaining({ name: 'RangeError' }),
      );
    expect(() => new Denylist().applyPacked(Buffer.concat([chunk, Buffer.of(0)]))).toThrow(
      expect.objectContaining({ name: 'RangeError' }),
    );
    fc.assert(
      fc.property(fc.nat(chunk.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoiled = Buffer.from(chunk);
        spoiled[at]! ^= change;
        const into = new Denylist();
        try {
          into.applyPacked(spoiled);
        } catch (error) {
          expect(error).toMatchObject({ name: 'RangeError' });
        }
        for (const entry of into.entries()) expect(into.get(entry.kind, entry.value)).toEqual(entry);
      }),
      { numRuns: 500 },
    );
  });
});

describe('an encoded value', () => {
  test('comes back as it was, and no two have the same bytes', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (left, right) => {
        const [one, other] = [new EncodedValue(), new EncodedValue()];
        expect(one.encode(left.kind, left.value)).toBe(true);
        expect(other.encode(right.kind, right.value)).toBe(true);
        expect(one.kind).toBe(left.kind);
        expect(decodeValue(one.bytes, 0, one.length, one.tag)).toBe(left.value);
        const isSame =
          one.tag === other.tag && one.bytes.subarray(0, one.length).equals(other.bytes.subarray(0, other.length));
        expect(isSame).toBe(left.kind === right.kind && left.value === right.value);
      }),
      { numRuns: 2000 },
    );
  });

  test('longer than any list holds, it names nothing', () => {
    const list = new Denylist();
    list.apply({ kind: 'device', value: 'device-1', mode: 'deny', reason: '', sequence: 1 });
    list.apply({ kind: 'token', value: 'ü'.repeat(512), mode: 'deny', reason: '', sequence: 2 });
    expect(list.match({ tokenId: 'ü'.repeat(512) }, NOW)).toBeDefined();
    for (const value of ['ü'.repeat(513), 'x'.repeat(1025), '\ud800'.repeat(513), 'x'.repeat(1_000_000)]) {
      expect(list.match({ tokenId: value }, NOW)).toBeUndefined();
      expect(() => list.apply({ kind: 'token', value, mode: 'deny', reason: '', sequence: 3 })).toThrow(
        expect.objectContaining({ name: 'RangeError' }),
      );
    }
  });
});
