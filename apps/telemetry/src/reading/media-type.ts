/** Decides which of the forms offered answers an Accept header (RFC 9110 §12.5.1). */

/**
 * @param offers media types, the preferred first: what `*` and an absent header get
 * @returns undefined where nothing fits
 */
export function negotiate<T extends string>(accept: string | undefined, offers: readonly T[]): T | undefined {
  if (accept === undefined || accept.trim() === '') return offers[0];
  const ranges = accept
    .split(',', 32)
    .map(readRange)
    .filter(({ q }) => q > 0);
  for (const { type } of ranges.sort((left, right) => right.q - left.q)) {
    const found = offers.find((offer) => type === offer || type === '*/*' || type === `${offer.split('/')[0]}/*`);
    if (found) return found;
  }
  return undefined;
}

function readRange(range: string): { type: string; q: number } {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith('q='));
  return { type, q: q === undefined ? 1 : Number(q.slice(2)) || 0 };
}
