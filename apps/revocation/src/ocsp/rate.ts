/** How much may be asked of a costly thing: so many a second, a second's worth at once. */

export class Rate {
  private left: number;
  private atMs: number | undefined;

  constructor(private readonly perSecond: number) {
    this.left = perSecond;
  }

  /** @param nowMs monotonic. */
  take(nowMs: number): boolean {
    const passedMs = nowMs - (this.atMs ?? nowMs);
    this.atMs = nowMs;
    this.left = Math.min(this.perSecond, this.left + (passedMs * this.perSecond) / 1000);
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
