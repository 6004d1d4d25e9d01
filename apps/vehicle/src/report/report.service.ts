/** Where a vehicle's events go: lines on standard output, or whatever a test listens with. */
import { eventLine, type ReportedEvent, type VehicleEvent } from './vehicle-event.js';

export type Report = (event: VehicleEvent) => void;
export type EventSink = (event: ReportedEvent) => void;

/** Stamps events with the time and the vehicle's name; `device` is asked each time, since it is certain only after enrolment. */
export function reporter(device: () => string, sink: EventSink): Report {
  return (event) => sink({ at: new Date().toISOString(), device: device(), ...event });
}

/** `json`: one JSON object a line, the machine-readable stream; else one line for a person. */
export function outputSink(json: boolean): EventSink {
  return (event) => process.stdout.write(`${json ? JSON.stringify(event) : eventLine(event)}\n`);
}
