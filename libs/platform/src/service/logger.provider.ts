import type { LoggerService } from '@nestjs/common';
import type { InstanceId, Service } from '@outrider/ids';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { hidden, SECRET_MEMBERS } from './hidden.js';
import { loggedError } from './logged-error.js';
import { currentTrace } from './trace.provider.js';

/** JSON lines on stdout. Members that are secrets by their name are censored up to two levels deep, what looks like one wherever it is; values of failed statements stay out. */
export function createLogger(
  service: Service,
  instance: InstanceId,
  level: string,
  destination?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: loggedError },
    redact: { paths: SECRET_MEMBERS.flatMap((s) => [s, `*.${s}`, `*.*.${s}`]), censor: '[secret]' },
    hooks: { streamWrite: hidden },
    mixin: () => {
      const trace = currentTrace();
      return trace ? { traceId: trace.traceId, spanId: trace.spanId } : {};
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Nest's own messages, in our log. */
export function nestLogger(logger: Logger): LoggerService {
  const child = logger.child({ context: 'nest' });
  return {
    log: (message: unknown) => child.debug(String(message)),
    error: (message: unknown, ...rest: unknown[]) => child.error({ rest }, String(message)),
    warn: (message: unknown) => child.warn(String(message)),
    debug: (message: unknown) => child.debug(String(message)),
    verbose: (message: unknown) => child.trace(String(message)),
  };
}
