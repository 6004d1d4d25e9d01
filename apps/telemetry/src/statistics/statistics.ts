/** What an operator is told of one device's traffic in a range. */
interface Traffic {
  readonly streams: readonly {
    readonly stream: string;
    readonly epoch: number;
    readonly accepted: number;
    readonly from_logs: number;
    readonly unanchored: number;
    readonly lowest: number;
    readonly highest: number;
  }[];
  readonly latency: {
    readonly p50: number | null;
    readonly p99: number | null;
    readonly min: number | null;
    readonly max: number | null;
  };
  readonly gaps: readonly {
    readonly stream: string;
    readonly epoch: number;
    readonly first: number;
    readonly last: number;
  }[];
}

/**
 * `verdicts.accepted` and `latency_ms` are of live messages; `logs`: what offline logs brought in the range, which `streams` counts too.
 * `missing`: numbers between the lowest and the highest accepted in the range that were not; `gaps`: where, the first 100.
 */
export function describeTraffic(
  deviceId: string,
  { from, to }: { readonly from: Date; readonly to: Date },
  { streams, latency, gaps }: Traffic,
  verdicts: readonly { readonly verdict: string; readonly count: number; readonly last_at: Date }[],
) {
  const sum = (of: 'accepted' | 'from_logs' | 'unanchored') => streams.reduce((total, stream) => total + stream[of], 0);
  return {
    device_id: deviceId,
    from: from.toISOString(),
    to: to.toISOString(),
    verdicts: {
      accepted: sum('accepted') - sum('from_logs'),
      ...Object.fromEntries(verdicts.map(({ verdict, count }) => [verdict, count])),
    },
    logs: { records: sum('from_logs'), unanchored: sum('unanchored') },
    latency_ms: {
      p50: rounded(latency.p50),
      p99: rounded(latency.p99),
      min: rounded(latency.min),
      max: rounded(latency.max),
    },
    streams: streams.map((stream) => ({ ...stream, missing: stream.highest - stream.lowest + 1 - stream.accepted })),
    gaps: gaps.map(({ stream, epoch, first, last }) => ({ stream, epoch, missing: [first, last] as const })),
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10;
}
