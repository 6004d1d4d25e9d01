/** A drive is a list of samples on its own time line, and the question which of them a vehicle is at. */

/** What a vehicle measures; plain numbers and strings, sent as the members of `telemetry`. */
export type Measurement = Readonly<Record<string, number | string | boolean>>;

/** `atSeconds`: since the start of the drive. */
export interface DriveSample {
  readonly atSeconds: number;
  readonly measurement: Measurement;
}

/** `source` is told in the events: `csv` and `gpx` are recorded drives, `simulated` is made up and says so. */
export interface Drive {
  readonly source: 'csv' | 'gpx' | 'simulated';
  readonly name: string;
  /** The measurement at this time of the drive; a recorded drive begins again at its end. */
  at(driveSeconds: number): Measurement;
}

export const MAX_DRIVE_BYTES = 64 * 1024 * 1024;
export const MAX_DRIVE_SAMPLES = 1_000_000;

/** A recorded drive. Samples are in time order, at least one. Between two of them the earlier holds. */
export function recordedDrive(source: 'csv' | 'gpx', name: string, samples: readonly DriveSample[]): Drive {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) throw new RangeError(`${name} holds no sample`);
  const lengthSeconds = last.atSeconds - first.atSeconds + 1;
  return {
    source,
    name,
    at(driveSeconds) {
      const wanted = first.atSeconds + (driveSeconds % lengthSeconds);
      return (samples[lastAtOrBefore(samples, wanted)] ?? first).measurement;
    },
  };
}

function lastAtOrBefore(samples: readonly DriveSample[], atSeconds: number): number {
  let low = 0;
  let high = samples.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((samples[middle] as DriveSample).atSeconds <= atSeconds) low = middle;
    else high = middle - 1;
  }
  return low;
}
