/** The profiles that the product itself needs, each a checked-in file beside this one; a file that breaks a rule keeps the process from starting. */
import type { CertificateProfile } from './profile-schema.js';
import { parseProfile } from './profile-schema.js';
import commandSigner from './profiles/command-signer.json' with { type: 'json' };
import controlCa from './profiles/control-ca.json' with { type: 'json' };
import factoryCa from './profiles/factory-ca.json' with { type: 'json' };
import factoryDevice from './profiles/factory-device.json' with { type: 'json' };
import infrastructureCa from './profiles/infrastructure-ca.json' with { type: 'json' };
import infrastructureOcspSigner from './profiles/infrastructure-ocsp-signer.json' with { type: 'json' };
import issuingCa from './profiles/issuing-ca.json' with { type: 'json' };
import ocspSigner from './profiles/ocsp-signer.json' with { type: 'json' };
import root from './profiles/root.json' with { type: 'json' };
import rootCross from './profiles/root-cross.json' with { type: 'json' };
import serviceServer from './profiles/service-server.json' with { type: 'json' };
import vehicle from './profiles/vehicle.json' with { type: 'json' };
import vehicleCa from './profiles/vehicle-ca.json' with { type: 'json' };
import vehicleShort from './profiles/vehicle-short.json' with { type: 'json' };
import vehicleWeek from './profiles/vehicle-week.json' with { type: 'json' };

const FILES = {
  root,
  'root-cross': rootCross,
  'vehicle-ca': vehicleCa,
  'infrastructure-ca': infrastructureCa,
  'control-ca': controlCa,
  'issuing-ca': issuingCa,
  'factory-ca': factoryCa,
  'factory-device': factoryDevice,
  vehicle,
  'vehicle-short': vehicleShort,
  'vehicle-week': vehicleWeek,
  'service-server': serviceServer,
  'command-signer': commandSigner,
  'ocsp-signer': ocspSigner,
  'infrastructure-ocsp-signer': infrastructureOcspSigner,
} as const;

export type ProfileName = keyof typeof FILES;
export const PROFILE_NAMES = Object.keys(FILES) as readonly ProfileName[];

export const PROFILES = Object.fromEntries(
  Object.entries(FILES).map(([name, file]) => {
    const profile = parseProfile(file);
    if (profile.name !== name) throw new Error(`profile ${name} calls itself ${profile.name}`);
    return [name, profile];
  }),
) as Readonly<Record<ProfileName, CertificateProfile>>;
