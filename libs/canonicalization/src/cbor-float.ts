/** Floats of CBOR in their shortest form that keeps the value (RFC 8949 §4.2.1). */

const scratch = Buffer.alloc(8);

/** binary16 to a number (RFC 8949 appendix D). */
export function readHalf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}

/** The bits of a finite number in binary16; undefined when they do not hold it. */
export function halfBits(value: number): number | undefined {
  scratch.writeFloatBE(value);
  const bits = scratch.readUInt32BE();
  if (scratch.readFloatBE() !== value) return undefined;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 127;
  const fraction = bits & 0x7f_ffff;
  if ((bits & 0x7fff_ffff) === 0) return sign;
  if (exponent > 15) return undefined;
  if (exponent >= -14) return fraction & 0x1fff ? undefined : sign | ((exponent + 15) << 10) | (fraction >> 13);
  // Subnormal in binary16: a multiple of 2^-24.
  const multiple = Math.abs(value) * 2 ** 24;
  return Number.isInteger(multiple) ? sign | multiple : undefined;
}

export function fitsSingle(value: number): boolean {
  return Math.fround(value) === value;
}
