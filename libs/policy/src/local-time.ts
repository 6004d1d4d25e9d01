/** The time of day where a vehicle is registered, for policies that know hours. */

export interface LocalTime {
  /** 0 to 23. */
  readonly hour: number;
  /** Minutes since midnight, 0 to 1439. */
  readonly minuteOfDay: number;
  /** ISO 8601: Monday 1 to Sunday 7. */
  readonly weekday: number;
}

/** A zone comes from an operator; what they write must not grow memory without bound. */
const MOST_ZONES = 600;
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MINUTE_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();
/** Each zone's last: within a minute a thousand decisions ask for the same, and the calendar takes its time. */
const latest = new Map<string, { readonly minute: number; readonly time: LocalTime }>();

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
  const minute = Math.floor(instant.getTime() / MINUTE_MS);
  const known = latest.get(zone);
  if (known?.minute === minute) return known.time;
  const time = inZone(instant, zone);
  if (latest.size >= MOST_ZONES) latest.clear();
  latest.set(zone, { minute, time });
  return time;
}

function inZone(instant: Date, zone: string): LocalTime {
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
    if (formats.size >= MOST_ZONES) formats.clear();
    formats.set(zone, format);
  }
  return format;
}
