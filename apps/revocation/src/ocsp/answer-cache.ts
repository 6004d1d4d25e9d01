/** The answers that are served from memory: by the bytes of their question, forgotten as soon as anything about the certificate changes. */

export interface CachedAnswer {
  /** `<issuer key id>-<serial number>` */
  readonly certificate: string;
  readonly nextUpdateMs: number;
}

/** Bounded; what was put first goes first. A change that is told between a reading and `put` wins over it. */
export class AnswerCache<A extends CachedAnswer> {
  private readonly byRequest = new Map<string, A>();
  private readonly requestsOf = new Map<string, Set<string>>();
  /** Counts the changes that were told. */
  private changes = 0;

  constructor(private readonly maxAnswers: number) {}

  get size(): number {
    return this.byRequest.size;
  }

  /** Taken before reading what an answer rests on. */
  get mark(): number {
    return this.changes;
  }

  get(request: string): A | undefined {
    return this.byRequest.get(request);
  }

  /** @returns false where anything changed since `mark`: then nobody knows here whether the answer still holds. */
  put(request: string, answer: A, mark: number): boolean {
    if (mark !== this.changes) return false;
    this.drop(request);
    this.byRequest.set(request, answer);
    const requests = this.requestsOf.get(answer.certificate) ?? new Set();
    this.requestsOf.set(answer.certificate, requests.add(request));
    for (const [oldest] of this.byRequest) {
      if (this.byRequest.size <= this.maxAnswers) break;
      this.drop(oldest);
    }
    return true;
  }

  /** @returns the questions whose answers were forgotten. */
  changed(certificate: string): string[] {
    this.changes += 1;
    const requests = [...(this.requestsOf.get(certificate) ?? [])];
    for (const request of requests) this.drop(request);
    return requests;
  }

  clear(): void {
    this.changes += 1;
    this.byRequest.clear();
    this.requestsOf.clear();
  }

  private drop(request: string): void {
    const answer = this.byRequest.get(request);
    if (answer === undefined) return;
    this.byRequest.delete(request);
    const requests = this.requestsOf.get(answer.certificate);
    requests?.delete(request);
    if (requests?.size === 0) this.requestsOf.delete(answer.certificate);
  }
}
