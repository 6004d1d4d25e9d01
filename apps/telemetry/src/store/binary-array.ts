/** Writes one-dimensional arrays in PostgreSQL's binary format: a text array is escaped here and parsed there, element by element, for nothing. */

/** Of `pg_type`: what the elements are. */
const OID = { bytea: 17, int8: 20, int4: 23, text: 25, float8: 701 } as const;
const HEAD_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;

export function textArray(values: readonly (string | null)[]): Buffer {
  let size = 0;
  for (const value of values) size += LENGTH_BYTES + (value === null ? 0 : Buffer.byteLength(value));
  const array = head(OID.text, values.length, size, values.includes(null));
  let at = HEAD_BYTES;
  for (const value of values) {
    const length = value === null ? NULL_LENGTH : array.write(value, at + LENGTH_BYTES);
    array.writeInt32BE(length, at);
    at += LENGTH_BYTES + Math.max(0, length);
  }
  return array;
}

export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
  let size = 0;
  for (const value of values) size += LENGTH_BYTES + (value?.length ?? 0);
  const array = head(OID.bytea, values.length, size, values.includes(null));
  let at = HEAD_BYTES;
  for (const value of values) {
    array.writeInt32BE(value?.length ?? NULL_LENGTH, at);
    at += LENGTH_BYTES;
    if (value === null) continue;
    array.set(value, at);
    at += value.length;
  }
  return array;
}

export function int4Array(values: readonly (number | null)[]): Buffer {
  return fixed(OID.int4, 4, values, (array, value, at) => array.writeInt32BE(value, at));
}

/** Whole numbers that a double holds. */
export function int8Array(values: readonly number[]): Buffer {
  return fixed(OID.int8, 8, values, (array, value, at) => {
    array.writeInt32BE(Math.floor(value / 0x1_0000_0000), at);
    array.writeUInt32BE(
      value >= 0 ? value % 0x1_0000_0000 : ((value % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000,
      at + 4,
    );
  });
}

export function float8Array(values: readonly (number | null)[]): Buffer {
  return fixed(OID.float8, 8, values, (array, value, at) => array.writeDoubleBE(value, at));
}

function fixed(
  oid: number,
  width: number,
  values: readonly (number | null)[],
  write: (array: Buffer, value: number, at: number) => void,
): Buffer {
  const nulls = values.reduce<number>((count, value) => count + (value === null ? 1 : 0), 0);
  const size = values.length * (LENGTH_BYTES + width) - nulls * width;
  const array = head(oid, values.length, size, nulls > 0);
  let at = HEAD_BYTES;
  for (const value of values) {
    array.writeInt32BE(value === null ? NULL_LENGTH : width, at);
    at += LENGTH_BYTES;
    if (value === null) continue;
    write(array, value, at);
    at += width;
  }
  return array;
}

/** One dimension, counted from 1. PostgreSQL reads an array of no elements in this form too. */
function head(oid: number, count: number, size: number, hasNull: boolean): Buffer {
  const array = Buffer.allocUnsafe(HEAD_BYTES + size);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(hasNull ? 1 : 0, 4);
  array.writeInt32BE(oid, 8);
  array.writeInt32BE(count, 12);
  array.writeInt32BE(1, 16);
  return array;
}
