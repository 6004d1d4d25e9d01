export { SerialNumber, Thumbprint } from './certificate-ids.js';
export { DeviceId, deviceSpiffeId, parseVehicleSpiffeId, serviceSpiffeId, TrustDomain } from './device-id.js';
export { CommandId, Epoch, InstanceId, JwtId, SequenceNumber, StreamName } from './message-ids.js';
export { SERVICES, Service, serviceNumber } from './service.js';
