/** What a body counts for at least, in records: to read it costs by the byte, whatever it turns out to hold. */

const BYTES_A_RECORD = 16_384;

export function leastRecords(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BYTES_A_RECORD));
}
