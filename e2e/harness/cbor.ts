/** CBOR by hand, in the shortest forms: what the tests send is not encoded by the code that decodes it. */

/** `bigint`: 8 bytes, for numbers that no message may hold. */
export function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return Number.isInteger(value) ? integer(value) : float(value);
  if (typeof value === 'bigint') return Buffer.concat([Buffer.of(0x1b), bytesOf(value)]);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  if (value instanceof Map) return map([...value]);
  if (typeof value === 'object' && value !== null) return map(Object.entries(value));
  return Buffer.of(value === null ? 0xf6 : value === true ? 0xf5 : value === false ? 0xf4 : 0xf7);
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.of((major << 5) | length);
  if (length < 256) return Buffer.of((major << 5) | 24, length);
  if (length < 65_536) return Buffer.of((major << 5) | 25, length >> 8, length & 255);
  const long = Buffer.alloc(length < 2 ** 32 ? 5 : 9);
  long[0] = (major << 5) | (long.length === 5 ? 26 : 27);
  if (long.length === 5) long.writeUInt32BE(length, 1);
  else long.writeBigUInt64BE(BigInt(length), 1);
  return long;
}

function integer(value: number): Buffer {
  return value < 0 ? head(1, -1 - value) : head(0, value);
}

function float(value: number): Buffer {
  const half = halfOf(value);
  if (half !== undefined) return Buffer.of(0xf9, half >> 8, half & 255);
  const isSingle = Math.fround(value) === value;
  const bytes = Buffer.alloc(isSingle ? 5 : 9, isSingle ? 0xfa : 0xfb);
  if (isSingle) bytes.writeFloatBE(value, 1);
  else bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** Normal numbers alone: no telemetry here is smaller. */
function halfOf(value: number): number | undefined {
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.abs(value) * 2 ** (10 - exponent);
  if (exponent < -14 || exponent > 15 || !Number.isInteger(fraction)) return undefined;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (fraction - 1024);
}

function map(entries: readonly [unknown, unknown][]): Buffer {
  const sorted = entries
    .map(([name, value]): [Buffer, unknown] => [cbor(name), value])
    .sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat([head(5, sorted.length), ...sorted.flatMap(([name, value]) => [name, cbor(value)])]);
}

function bytesOf(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
