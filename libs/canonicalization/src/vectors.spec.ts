import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { jcsOfSlice, signedForms, tokenPreservingCanonical } from './canonical-forms.js';
import { scanJson } from './scan-json.js';

/** One file a case under `vectors/canonicalization`; the input is `text`, `hex` or `repeat`. */
interface Vector {
  readonly description?: string;
  readonly text?: string;
  readonly hex?: string;
  readonly repeat?: { prefix: string; unit: string; count: number; suffix: string };
  readonly jcs?: string;
  readonly tokenPreserving?: string;
  readonly tokenPreservingByCodeUnit?: string;
  readonly refused?: string;
  readonly atByte?: number;
}

const folder = new URL('../../../vectors/canonicalization/', import.meta.url);
const names = readdirSync(folder);
const vectors = names.map((name) => ({ name, ...(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector) }));
const limits = { maxBytes: 1_048_576, maxDepth: 64 };

function input({ text, hex, repeat }: Vector): Buffer {
  if (repeat) return Buffer.from(repeat.prefix + repeat.unit.repeat(repeat.count) + repeat.suffix);
  return hex === undefined ? Buffer.from(text!) : Buffer.from(hex, 'hex');
}

describe('vectors/canonicalization', () => {
  test.each(vectors.filter((vector) => vector.refused === undefined))('$name', (vector) => {
    const { root } = scanJson(input(vector), limits);
    const byCodeUnit = vector.tokenPreservingByCodeUnit ?? vector.tokenPreserving!;
    expect(jcsOfSlice(root).toString()).toBe(vector.jcs);
    expect(tokenPreservingCanonical(root).toString()).toBe(vector.tokenPreserving);
    expect(tokenPreservingCanonical(root, 'utf-16').toString()).toBe(byCodeUnit);
    const forms = [...signedForms(root)].map((form) => form.toString());
    expect(forms).toEqual([...new Set([vector.jcs, vector.tokenPreserving, byCodeUnit])]);
  });

  test.each(vectors.filter((vector) => vector.refused !== undefined))('$name', (vector) => {
    const error = thrownBy(() => scanJson(input(vector), limits));
    expect(error).toBeInstanceOf(DomainError);
    expect((error as DomainError).code).toBe(vector.refused);
    if (vector.atByte !== undefined)
      expect((error as DomainError).detail).toMatch(new RegExp(` at byte ${vector.atByte}$`));
  });

  it('has both kinds', () => {
    expect(vectors.length).toBeGreaterThan(50);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
