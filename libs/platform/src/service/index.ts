export { boot, createApplication, drainAndClose, type ServiceDefinition } from './boot.provider.js';
export { CertificateMetrics } from './certificate-metrics.service.js';
export { type CommonConfig, ConfigError, loadConfig, readSecret, serviceConfig } from './config.js';
export { configFile, FILE_KINDS, type FileKind, SECRET_KINDS } from './config-file.js';
export { Drain } from './drain.service.js';
export { createLogger } from './logger.provider.js';
export { Metrics } from './metrics.service.js';
export { PlatformModule } from './platform.module.js';
export { type Check, Readiness } from './readiness.service.js';
export { CONFIG, LOGGER, type Logger, RUNTIME, type Runtime } from './runtime.provider.js';
export { Schedule } from './schedule.service.js';
export { Sharers } from './sharers.provider.js';
export {
  currentTrace,
  inSharedSpan,
  inSpan,
  newSpan,
  runInTrace,
  runSpan,
  type SpanRole,
  type Trace,
  traceparent,
  withTrace,
} from './trace.provider.js';
export type { Tracing } from './tracing.provider.js';
export { type KeyPair, TrustFiles } from './trust-files.service.js';
