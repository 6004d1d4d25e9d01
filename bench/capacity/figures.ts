/** What was measured: each number with its unit and the measurement that gives it (bench/capacity/measured.json). */
import { z } from 'zod';

const Figure = z.strictObject({
  value: z.number().nonnegative(),
  unit: z.string().min(1),
  /** The benchmark, or the test, that says so. */
  by: z.string().min(1),
});
export type Figure = z.infer<typeof Figure>;

/** Of one record. */
const Costs = z.strictObject({
  serviceMicros: Figure,
  gatewayMicros: Figure,
  postgresMicros: Figure,
  standbyMicros: Figure,
  /** Of all nodes; and of the one that led the stream: a stream has one leader. */
  natsMicros: Figure,
  natsLeaderMicros: Figure,
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
  token: z.strictObject({ serviceMicros: Figure, postgresMicros: Figure }),
  renewal: z.strictObject({ serviceMicros: Figure, fleetCaMicros: Figure, postgresMicros: Figure }),
  pollMicros: Figure,
  handshakeMicros: Figure,
  connections: Figure,
  connectionBytes: Figure,
  ocspMicros: Figure,
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
  const scaled = (value: unknown, name: string): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if ('by' in value) return name.endsWith('Micros') ? { ...value, value: (value as Figure).value * factor } : value;
    return Object.fromEntries(Object.entries(value).map(([inner, one]) => [inner, scaled(one, inner)]));
  };
  return Figures.parse(scaled(figures, ''));
}
