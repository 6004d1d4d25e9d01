export { boot, createApplication, type ServiceDefinition } from './boot.provider.js';
export { type CommonConfig, ConfigError, loadConfig, readSecret, serviceConfig } from './config.js';
export { createLogger } from './logger.provider.js';
export { Metrics } from './metrics.service.js';
export { PlatformModule } from './platform.module.js';
export { type Check, Readiness } from './readiness.service.js';
export { CONFIG, LOGGER, type Logger, RUNTIME, type Runtime } from './runtime.provider.js';
export { Schedule } from './schedule.service.js';
export { currentTrace, newSpan, type Trace, traceparent, withTrace } from './trace.provider.js';
