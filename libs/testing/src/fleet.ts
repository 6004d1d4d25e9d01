/** A small real fleet: every CA with fresh keys, and the leaves a test asks for. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { signDer } from '@outrider/crypto';
import { type DeviceId, deviceSpiffeId, SerialNumber, serviceSpiffeId, TrustDomain } from '@outrider/ids';
import {
  type CertificateDescription,
  issueCertificate,
  OID,
  type ParsedCertificate,
  PROFILES,
  type ProfileName,
  toPem,
} from '@outrider/x509';

export const TRUST_DOMAIN = TrustDomain.parse('fleet.example.com');

export type KeyType = 'P-256' | 'P-384' | 'Ed25519';

/** A certificate with its private key. */
export interface Party {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface TestFleet {
  readonly root: Party;
  readonly vehicleCa: Party;
  readonly infrastructureCa: Party;
  readonly controlCa: Party;
  readonly factoryCa: Party;
}

/** Makes the CAs: root, three intermediates that no listener confuses, and a demo manufacturer beside them. */
export async function createTestFleet(): Promise<TestFleet> {
  const root = await issue('root', 'self', { name: 'Test Fleet Root', keyType: 'P-384' });
  return {
    root,
    vehicleCa: await issue('issuing-ca', root, { name: 'Test Vehicle Issuing CA' }),
    infrastructureCa: await issue('issuing-ca', root, { name: 'Test Infrastructure CA' }),
    controlCa: await issue('issuing-ca', root, { name: 'Test Control CA' }),
    factoryCa: await issue('factory-ca', 'self', { name: 'Demo Motors Factory CA' }),
  };
}

/** One root by another root's key, as in a root rollover; both have the name that every test root has. */
export function crossRoots(subject: Party, issuer: Party): Promise<ParsedCertificate> {
  const { notBefore, notAfter, spkiDer } = subject.certificate;
  return issueCertificate(
    {
      profile: 'root-cross',
      serialNumber: SerialNumber.parse(randomBytes(16).toString('hex').replace(/^./, '7')),
      subject: subject.certificate.subject.attributes,
      spkiDer,
      notBefore,
      notAfter,
    },
    issuer.certificate,
    (tbs) => signDer(issuer.privateKey, tbs),
  );
}

export interface LeafOptions {
  readonly keyType?: KeyType;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A fleet certificate (LDevID) of a device. */
export function issueVehicle(fleet: TestFleet, deviceId: DeviceId, options: LeafOptions = {}): Promise<Party> {
  return issue('vehicle', fleet.vehicleCa, {
    name: deviceId,
    ...options,
    sanUri: deviceSpiffeId(TRUST_DOMAIN, deviceId),
    crlUrl: 'http://127.0.0.1:9105/crl/0.crl',
    ocspUrl: 'http://127.0.0.1:9105/ocsp',
  });
}

/** A factory certificate (IDevID) with the X.520 serialNumber `DM-<DEVICE ID>`. */
export function issueFactoryDevice(fleet: TestFleet, deviceId: string, options: LeafOptions = {}): Promise<Party> {
  return issue('factory-device', fleet.factoryCa, {
    name: deviceId,
    ...options,
    subject: [
      { type: OID.commonName, value: deviceId },
      { type: OID.serialNumber, value: `DM-${deviceId.toUpperCase()}` },
    ],
  });
}

/** A service's certificate of the infrastructure CA, good for 127.0.0.1 and localhost. */
export function issueService(fleet: TestFleet, service: string): Promise<Party> {
  return issue('service-server', fleet.infrastructureCa, {
    name: service,
    sanUri: serviceSpiffeId(TRUST_DOMAIN, service),
    sanDns: ['localhost'],
    sanIps: ['127.0.0.1'],
  });
}

/** The command signer's certificate of the control CA. */
export function issueCommandSigner(fleet: TestFleet): Promise<Party> {
  return issue('command-signer', fleet.controlCa, {
    name: 'command',
    sanUri: serviceSpiffeId(TRUST_DOMAIN, 'command'),
  });
}

export type IssueOptions = LeafOptions & { readonly name: string } & Partial<
    Pick<CertificateDescription, 'subject' | 'sanUri' | 'sanDns' | 'sanIps' | 'crlUrl' | 'ocspUrl'>
  >;

/** Issues by any profile; valid from an hour ago for a day (authorities: a year) unless told otherwise. */
export async function issue(profile: ProfileName, issuer: Party | 'self', options: IssueOptions): Promise<Party> {
  const { name, keyType = 'P-256', notBefore, notAfter, ...rest } = options;
  const keys =
    keyType === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: keyType });
  const days = PROFILES[profile].ca ? 365 : 1;
  const from = notBefore ?? new Date(Date.now() - 3_600_000);
  const certificate = await issueCertificate(
    {
      profile,
      serialNumber: SerialNumber.parse(randomBytes(16).toString('hex').replace(/^./, '7')),
      subject: [{ type: OID.commonName, value: name }],
      spkiDer: keys.publicKey.export({ type: 'spki', format: 'der' }),
      notBefore: from,
      notAfter: notAfter ?? new Date(Math.max(Date.now(), from.getTime()) + days * 86_400_000 - 3_600_000),
      ...rest,
    },
    issuer === 'self' ? 'self' : issuer.certificate,
    (tbs) => signDer(issuer === 'self' ? keys.privateKey : issuer.privateKey, tbs),
  );
  return {
    certificate,
    privateKey: keys.privateKey,
    certificatePem: toPem(certificate.der, 'CERTIFICATE'),
    privateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
