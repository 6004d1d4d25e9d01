import type { LoggerService } from '@nestjs/common';
import type { InstanceId, Service } from '@outrider/ids';
import { type Logger, pino } from 'pino';
import { loggedError } from './logged-error.js';
import { currentTrace } from './trace.provider.js';

/** JSON lines on stdout. Headers and members that carry secrets are censored wherever they appear two levels deep; values of failed statements stay out. */
export function createLogger(service: Service, instance: InstanceId, level: string): Logger {
  const secrets = [
    'authorization',
    'password',
    'access_token',
    'refresh_token',
    'client_assertion',
    'token',
    'privateKey',
    'passphrase',
  ];
  return pino({
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: loggedError },
    redact: { paths: secrets.flatMap((s) => [s, `*.${s}`, `*.*.${s}`]), censor: '[secret]' },
    mixin: () => {
      const trace = currentTrace();
      return trace ? { traceId: trace.traceId } : {};
    },
  });
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
