/** An answer in a few words: its status and the code in it, whatever error shape the protocol has. */
import type { Seen } from '../harness/thief.js';

interface Told {
  readonly code?: string;
  readonly verdict?: string;
  readonly results?: readonly { readonly verdict: string; readonly code?: string }[];
}

/** `422 telemetry.skewed`, `200 duplicate`, `200 accepted+telemetry.wrong_device`, `no answer`. */
export function said({ status, body }: Seen): string {
  if (status === 0) return 'no answer';
  return [String(status), wordOf(body)].filter(Boolean).join(' ');
}

function wordOf(body: string): string {
  const told = parsed(body);
  if (told?.code) return told.code;
  if (told?.verdict) return told.verdict;
  const verdicts = told?.results?.map(({ verdict, code }) => code ?? verdict) ?? [];
  if (verdicts.length > 0) return [...new Set(verdicts)].join('+');
  return /^[a-z]+\.[a-z_]+(?=:)/.exec(body)?.[0] ?? '';
}

function parsed(body: string): Told | undefined {
  try {
    return JSON.parse(body) as Told;
  } catch {
    return undefined;
  }
}
