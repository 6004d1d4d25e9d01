/** What was measured: each number with its unit and the measurement that gives it (bench/capacity/measured.json). */
import { z } from 'zod';

const Figure = z.strictObject({
  value: z.number().nonnegative(),
  unit: z.string().min(1),
  /** The benchmark, or the test, that says so. */
  by: z.string().min(1),
});
export type Figure = z.infer<typeof Figure>;

/** CPU of an operation. `null`, or 0: less than the clock of processes saw beside what they spend at rest, so it is not measured. */
const Cost = Figure.extend({ value: z.number().nonnegative().nullable() });
export type Cost = z.infer<typeof Cost>;

/** Of one record. */
const Costs = z.strictObject({
  serviceMicros: Cost,
  gatewayMicros: Cost,
  postgresMicros: Cost,
  standbyMicros: Cost,
  /** Of all nodes; and of the one that led the stream: a stream has one leader. */
  natsMicros: Cost,
  natsLeaderMicros: Cost,
  storedBytes: Figure,
  walBytes: Figure,
});

export const Figures = z.strictObject({
  /** The yardstick: a machine that does it in half the time does everything in about half. */
  verifyMicros: Figure,
  single: Costs,
  batch: Costs.extend({ records: Figure }),
  recordsPerSecond: Figure,
  eventBytes: Figure,
  token: z.strictObject({ serviceMicros: Cost, postgresMicros: Cost }),
  renewal: z.strictObject({ serviceMicros: Cost, fleetCaMicros: Cost, postgresMicros: Cost }),
  pollMicros: Cost,
  handshakeMicros: Cost,
  connections: Figure,
  connectionBytes: Figure,
  ocspMicros: Cost,
  entriesPerRevocation: Figure,
  denylistEntryBytes: Figure,
  crlEntryBytes: Figure,
  wire: z.strictObject({
    postBytes: Figure,
    recordBytes: Figure,
    tokenRequestBytes: Figure,
    answerBytes: Figure,
    handshakeInBytes: Figure,
    handshakeOutBytes: Figure,
  }),
});
export type Figures = z.infer<typeof Figures>;

/** The file: figures, and under which conditions they came about. */
export const Measured = z.strictObject({
  date: z.iso.date(),
  machine: z.string(),
  conditions: z.string(),
  figures: Figures,
});
export type Measured = z.infer<typeof Measured>;

/** The same on a machine where a P-256 verification takes `verifyMicros`: whatever costs CPU is taken to cost as much more or less. */
export function onMachine(figures: Figures, verifyMicros: number): Figures {
  const factor = verifyMicros / figures.verifyMicros.value;
  return eachCost(figures, (cost) => (cost.value === null ? cost : { ...cost, value: cost.value * factor }));
}

/** As they are kept: what came out as 0 cost something, and nobody knows how much. */
export function withoutZeros(figures: Figures): Figures {
  return eachCost(figures, (cost) =>
    cost.value === 0 ? { ...cost, value: null, by: `not measured, by ${cost.by}` } : cost,
  );
}

function eachCost(figures: Figures, change: (cost: Cost) => Cost): Figures {
  const changed = (value: unknown, name: string): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if ('by' in value) return name.endsWith('Micros') ? change(value as Cost) : value;
    return Object.fromEntries(Object.entries(value).map(([inner, one]) => [inner, changed(one, inner)]));
  };
  return Figures.parse(changed(figures, ''));
}
