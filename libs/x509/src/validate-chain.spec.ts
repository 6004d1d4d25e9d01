import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import {
  commonName,
  type Fleet,
  issue,
  NOW,
  newFleet,
  newKeyPair,
  vectorFolder,
  vehicleOverrides,
} from './fleet.fixture.js';
import { limboExceptions } from './limbo-exceptions.fixture.js';
import { OID } from './oids.js';
import { parseCertificate } from './parse-certificate.js';
import { type ChainOptions, validateChain } from './validate-chain.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await newFleet();
});

const asClient: ChainOptions = { now: NOW, purpose: 'clientAuth' };

describe('validateChain', () => {
  it('returns the path from leaf to anchor', () => {
    const { vehicle, vehicleCa, root } = fleet;
    const path = validateChain(vehicle.certificate, [vehicleCa.certificate], [root.certificate], asClient);
    expect(path).toEqual([vehicle.certificate, vehicleCa.certificate, root.certificate]);
  });

  it('takes an intermediate CA as the anchor, without its root', () => {
    const { vehicle, vehicleCa } = fleet;
    expect(validateChain(vehicle.certificate, [], [vehicleCa.certificate], asClient)).toHaveLength(2);
  });

  it('refuses a leaf of a sibling CA where only one CA is the anchor', async () => {
    const foreign = await issue('vehicle', fleet.controlCa, newKeyPair('P-256'), vehicleOverrides('device-12345'));
    const { certificate } = foreign;
    const siblings = [fleet.controlCa.certificate, fleet.root.certificate];
    expect(() => validateChain(certificate, siblings, [fleet.vehicleCa.certificate], asClient)).toThrow(
      expect.objectContaining({ code: 'x509.chain_invalid' }),
    );
  });

  it('refuses a CA of the right name and another key', async () => {
    const impostor = await issue('issuing-ca', fleet.root, newKeyPair('P-256'), { subject: commonName('Vehicle CA') });
    const leaf = await issue('vehicle', impostor, newKeyPair('P-256'), vehicleOverrides('device-12345'));
    expect(() => validateChain(leaf.certificate, [], [fleet.vehicleCa.certificate], asClient)).toThrow(DomainError);
  });

  it('refuses a flipped signature bit', () => {
    const der = Uint8Array.from(fleet.vehicle.certificate.der);
    der[der.length - 5] = (der[der.length - 5] ?? 0) ^ 1;
    expect(() => validateChain(parseCertificate(der), [], [fleet.vehicleCa.certificate], asClient)).toThrow(
      expect.objectContaining({ code: 'x509.chain_invalid' }),
    );
  });

  it.each([
    ['one second before notBefore', -61_000],
    ['one second after notAfter', 86_401_000],
  ])('says expired %s', (_, offsetMs) => {
    const now = new Date(NOW.getTime() + offsetMs);
    expect(() =>
      validateChain(fleet.vehicle.certificate, [], [fleet.vehicleCa.certificate], { ...asClient, now }),
    ).toThrow(expect.objectContaining({ code: 'x509.expired' }));
  });

  it('says chain_invalid, not expired, of an expired leaf that nobody we trust signed', () => {
    const now = new Date(NOW.getTime() + 90_000_000);
    expect(() =>
      validateChain(fleet.vehicle.certificate, [], [fleet.controlCa.certificate], { ...asClient, now }),
    ).toThrow(expect.objectContaining({ code: 'x509.chain_invalid' }));
  });

  it('holds the leaf to its purpose', async () => {
    const anchors = [fleet.vehicleCa.certificate];
    const wrong: ChainOptions[] = [
      { now: NOW, purpose: 'serverAuth' },
      { now: NOW, purpose: { eku: OID.outriderCommandSigning } },
    ];
    for (const options of wrong) {
      expect(() => validateChain(fleet.vehicle.certificate, [], anchors, options)).toThrow(DomainError);
    }
    const signer = await issue('command-signer', fleet.controlCa, newKeyPair('P-256'), {
      subject: commonName('command'),
      sanUri: 'spiffe://fleet.example.com/service/command',
    });
    const asSigner: ChainOptions = { now: NOW, purpose: { eku: OID.outriderCommandSigning } };
    expect(validateChain(signer.certificate, [], [fleet.controlCa.certificate], asSigner)).toHaveLength(2);
    expect(() => validateChain(signer.certificate, [], [fleet.controlCa.certificate], asClient)).toThrow(DomainError);
  });

  it('holds each CA to its own use, even where the root is the anchor', async () => {
    const stolen = await issue('service-server', fleet.vehicleCa, newKeyPair('P-256'), {
      subject: commonName('token'),
      sanUri: 'spiffe://fleet.example.com/service/token',
      sanDns: ['localhost'],
    });
    const cas = [fleet.vehicleCa.certificate];
    const asServer: ChainOptions = { now: NOW, purpose: 'serverAuth' };
    expect(() => validateChain(stolen.certificate, cas, [fleet.root.certificate], asServer)).toThrow(
      /not meant to sign/,
    );
  });

  it('never takes a leaf as an authority', async () => {
    const leafAsCa = { certificate: fleet.vehicle.certificate, privateKey: fleet.vehicle.privateKey };
    const forged = await issue('vehicle', leafAsCa, newKeyPair('P-256'), vehicleOverrides('device-66666'));
    const path = [fleet.vehicle.certificate];
    expect(() => validateChain(forged.certificate, path, [fleet.vehicleCa.certificate], asClient)).toThrow(
      expect.objectContaining({ code: 'x509.chain_invalid' }),
    );
  });
});

interface LimboCase {
  readonly id: string;
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly validation_time: string | null;
  readonly extended_key_usage: readonly string[] | null;
  readonly max_chain_depth: number | null;
  readonly expected_result: 'SUCCESS' | 'FAILURE';
}

function limboVerdict(limbo: LimboCase): { result: 'SUCCESS' | 'FAILURE'; detail: string } {
  try {
    validateChain(
      parseCertificate(limbo.peer_certificate),
      limbo.untrusted_intermediates.map((pem) => parseCertificate(pem)),
      limbo.trusted_certs.map((pem) => parseCertificate(pem)),
      {
        now: limbo.validation_time === null ? new Date('2023-12-02T00:00:00Z') : new Date(limbo.validation_time),
        purpose: 'serverAuth',
        extendedKeyUsage: 'if-present',
        maxIntermediates: limbo.max_chain_depth ?? 8,
        minRsaBits: 2048,
      },
    );
    return { result: 'SUCCESS', detail: 'accepted' };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { result: 'FAILURE', detail: error.message };
  }
}

const folder = vectorFolder('x509-limbo');
const withLimbo = folder === undefined ? describe.skip : describe;
withLimbo('x509-limbo (skipped where ../shared/vectors/x509-limbo is absent)', () => {
  const file = 'limbo-2023-12-02-upstream-ddc40b47.json';
  const cases: LimboCase[] =
    folder === undefined ? [{} as LimboCase] : JSON.parse(readFileSync(join(folder, file), 'utf8')).testcases;

  test.each(cases)('$id', (limbo) => {
    const verdict = limboVerdict(limbo);
    const exception = limboExceptions[limbo.id];
    if (exception === undefined) {
      expect(verdict).toMatchObject({ result: limbo.expected_result });
    } else {
      // An exception that is no longer one is to be struck from the list.
      expect(verdict.result).not.toBe(limbo.expected_result);
    }
  });
});
