/** What is said of an error code, once, for every protocol that reports it. */

/**
 * `status`: HTTP status; `title`: one short sentence for a person;
 * `retry`: `never` = the same request fails again, `later` = it may succeed unchanged, `changed` = only after the caller changed something.
 */
export interface CodeEntry {
  readonly status: number;
  readonly title: string;
  readonly retry: 'never' | 'later' | 'changed';
}

export type CodeTable = Readonly<Record<string, CodeEntry>>;
