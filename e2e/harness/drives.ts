/** Recorded drives for the agent. The simulated one never stands, and policies let nothing be moved on a vehicle that drives. */
import { file } from './folder.js';

/** It stands in Mountain View. */
export function parkedDrive(): string {
  return file('parked.csv', 'LAT,LON,Speed\n37.422000,-122.084100,0.0\n');
}
