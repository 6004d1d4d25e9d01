/** The time of day where a vehicle is registered, for policies that know hours. */

export interface LocalTime {
  /** 0 to 23. */
  readonly hour: number;
  /** Minutes since midnight, 0 to 1439. */
  readonly minuteOfDay: number;
  /** ISO 8601: Monday 1 to Sunday 7. */
  readonly weekday: number;
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether the runtime knows the zone, e.g. `Europe/Berlin`. */
export function isTimeZone(zone: string): boolean {
  try {
    return formatOf(zone) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** @throws RangeError for a zone that `isTimeZone` does not know */
export function localTime(instant: Date, zone: string): LocalTime {
  const parts = formatOf(zone).formatToParts(instant);
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? '';
  const hour = Number(part('hour'));
  return { hour, minuteOfDay: hour * 60 + Number(part('minute')), weekday: WEEKDAYS.indexOf(part('weekday')) + 1 };
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hour: '2-digit',
      minute: '2-digit',
      weekday: 'short',
      hourCycle: 'h23',
    });
    // A zone comes from an operator; what they write must not grow memory without bound.
    if (formats.size >= 600) formats.clear();
    formats.set(zone, format);
  }
  return format;
}
