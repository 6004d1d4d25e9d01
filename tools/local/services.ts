/** The seven services as the supervisor sees them: their numbers, faces and memory. */

export interface ServiceSpec {
  readonly name: string;
  /** Its number: added to each port range. */
  readonly n: number;
  readonly vehicle: boolean;
  readonly operator: boolean;
  /** V8's old space, MiB: what keeps all of them together below 1.5 GiB. */
  readonly heapMiB: number;
  /**
   * V8's semi-space, MiB, where 8 do not suffice. A group of enrolments lives as long as its commits: in a small nursery it is taken
   * for something that stays, and each such mistake costs a full collection.
   */
  readonly semiSpaceMiB?: number;
}

export const SERVICES: readonly ServiceSpec[] = [
  { name: 'fleet-ca', n: 0, vehicle: false, operator: false, heapMiB: 128, semiSpaceMiB: 16 },
  { name: 'provisioning', n: 1, vehicle: true, operator: true, heapMiB: 160, semiSpaceMiB: 16 },
  { name: 'token', n: 2, vehicle: true, operator: true, heapMiB: 160, semiSpaceMiB: 16 },
  { name: 'telemetry', n: 3, vehicle: true, operator: true, heapMiB: 256, semiSpaceMiB: 32 },
  { name: 'command', n: 4, vehicle: true, operator: true, heapMiB: 160 },
  { name: 'revocation', n: 5, vehicle: false, operator: true, heapMiB: 160 },
  { name: 'gateway', n: 6, vehicle: false, operator: true, heapMiB: 160 },
];

/** Those that are started: all, unless OUTRIDER_SERVICES (names with commas between) narrows them for work on a part. */
export function startedServices(): readonly ServiceSpec[] {
  const names = process.env.OUTRIDER_SERVICES;
  return names === undefined ? SERVICES : SERVICES.filter(({ name }) => names.split(',').includes(name));
}

/** The service's PostgreSQL schema, which is its runtime role's name too. */
export function schemaOf(service: string): string {
  return service.replaceAll('-', '_');
}
