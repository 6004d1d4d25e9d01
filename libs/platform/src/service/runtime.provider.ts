import type { InstanceId, Service } from '@outrider/ids';
import type { Logger } from 'pino';

export type { Logger };

import type { CommonConfig } from './config.js';
import type { Tracing } from './tracing.provider.js';

/** Injection token of the service's own configuration (`@Inject(CONFIG) config: Config`). */
export const CONFIG = Symbol('CONFIG');
/** Injection token of the process's pino logger. */
export const LOGGER = Symbol('LOGGER');
/** Injection token of Runtime. */
export const RUNTIME = Symbol('RUNTIME');

export interface Runtime {
  readonly service: Service;
  readonly instance: InstanceId;
  readonly config: CommonConfig;
  readonly logger: Logger;
  /** Absent: nothing is recorded. */
  readonly tracing?: Tracing | undefined;
}
