/** Names and counters that travel in messages. */
import { z } from 'zod';

/** Telemetry and command sequence numbers: 1 to 2^53-1. */
export const SequenceNumber = z.int().min(1).max(Number.MAX_SAFE_INTEGER).brand('SequenceNumber');
export type SequenceNumber = z.infer<typeof SequenceNumber>;

/** Epoch of a stream or of a device's command counter: 0 to 2^31-1. */
export const Epoch = z.int().min(0).max(2_147_483_647).brand('Epoch');
export type Epoch = z.infer<typeof Epoch>;

/** A telemetry stream of one device, e.g. `main`. */
export const StreamName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
  .brand('StreamName');
export type StreamName = z.infer<typeof StreamName>;

export const CommandId = z.uuid().brand('CommandId');
export type CommandId = z.infer<typeof CommandId>;

/** RFC 7519 §4.1.7; ours are UUIDs, others' are opaque up to 128 characters. */
export const JwtId = z.string().min(1).max(128).brand('JwtId');
export type JwtId = z.infer<typeof JwtId>;

/** One running process of a service: `<service>-<8 hex digits>`. */
export const InstanceId = z
  .string()
  .regex(/^[a-z-]+-[0-9a-f]{8}$/)
  .brand('InstanceId');
export type InstanceId = z.infer<typeof InstanceId>;
