import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { CommandId, DeviceId, serviceSpiffeId } from '@outrider/ids';
import {
  createTestFleet,
  crossRoots,
  issue,
  issueCommandSigner,
  type Party,
  type TestFleet,
  TRUST_DOMAIN,
} from '@outrider/testing';
import type { ParsedCertificate } from '@outrider/x509';
import { isCritical } from './command.js';
import { type CommandContext, type CommandVerdict, verifyCommand } from './verify.js';

const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const SECONDS = NOW.getTime() / 1000;
const ID = CommandId.parse('11111111-2222-4333-8444-555555555555');
const OTHER_ID = CommandId.parse('99999999-2222-4333-8444-555555555555');
const NONCE = 'A'.repeat(43);
const OWN = { nonce: NONCE, madeAt: NOW };
/** What the vehicle's clock says so many seconds from now: it was off all the time. The signer's certificate begins an hour ago. */
const off = (seconds: number, since = 0) => ({
  now: new Date(NOW.getTime() + seconds * 1000),
  nonce: { nonce: NONCE, madeAt: new Date(NOW.getTime() + (seconds - since) * 1000) },
});

interface Forgery {
  readonly payload?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly signer?: Party;
  readonly authority?: Party;
  readonly key?: Party['privateKey'];
}

let fleet: TestFleet;
let signer: Party;
let rogue: TestFleet;

beforeAll(async () => {
  fleet = await createTestFleet();
  rogue = await createTestFleet();
  signer = await issueCommandSigner(fleet);
});

const der = (party: Party): string => Buffer.from(party.certificate.der).toString('base64');

function command(forgery: Forgery = {}): string {
  const { payload = {}, header = {}, authority = fleet.controlCa } = forgery;
  const leaf = forgery.signer ?? signer;
  const content = {
    command_id: ID,
    device_id: 'device-1',
    epoch: 1,
    counter: 8,
    iat: SECONDS - 1,
    exp: SECONDS + 30,
    name: 'honk',
    parameters: { times: 1 },
    ...payload,
  };
  return signJws({
    header: { typ: JWS_TYP.command, x5c: [der(leaf), der(authority)], ...header },
    payload: JSON.stringify(content),
    key: forgery.key ?? leaf.privateKey,
  });
}

function context(given: Partial<CommandContext> = {}): CommandContext {
  return {
    now: NOW,
    deviceId: DeviceId.parse('device-1'),
    trustDomain: TRUST_DOMAIN,
    fleetRoots: [fleet.root.certificate],
    offeredId: ID,
    last: { epoch: 1, counter: 7 },
    nonce: undefined,
    stored: undefined,
    isCritical,
    ...given,
  };
}

/** What a refusal says, without its words for people. */
function refusal(verdict: CommandVerdict): string {
  return verdict.kind === 'refuse' ? `${verdict.why}${verdict.authentic ? ' (authentic)' : ''}` : verdict.kind;
}

describe('a command is carried out', () => {
  it('when the command signer signed it for this vehicle, in time, with the next counter', () => {
    const verdict = verifyCommand(command(), context());
    expect(verdict).toMatchObject({
      kind: 'carry_out',
      command: { name: 'honk', counter: 8, parameters: { times: 1 } },
    });
  });

  test.each([
    ['the first of all, whatever its epoch', {}, { last: undefined }],
    ['a later counter, some left out', { counter: 100 }, {}],
    ['a critical one with the nonce of this vehicle', { name: 'unlock', nonce: NONCE }, { nonce: OWN }],
    ['a higher epoch with a nonce', { epoch: 2, counter: 1, nonce: NONCE }, { nonce: OWN }],
    ['a second before its expiry', { exp: SECONDS + 1 }, {}],
    ['by its own nonce, with a clock an hour ahead', { name: 'unlock', nonce: NONCE }, off(3600, 5)],
    ['by its own nonce, with a clock most of an hour behind', { name: 'unlock', nonce: NONCE }, off(-3500, 5)],
    ['a second before its life is over since the nonce', { name: 'unlock', nonce: NONCE }, off(3600, 30)],
  ])('%s', (_name, payload, given) => {
    expect(refusal(verifyCommand(command({ payload }), context(given)))).toBe('carry_out');
  });
});

test('a known id with the same bytes is answered again, even when it has expired and its counter is past', () => {
  const jws = command({ payload: { exp: SECONDS - 10, counter: 1 } });
  expect(verifyCommand(jws, context({ stored: jws }))).toMatchObject({ kind: 'again' });
});

describe('after a root rollover', () => {
  const chain = async (...more: ParsedCertificate[]) => {
    const x5c = [der(signer), der(fleet.controlCa), ...more.map((each) => Buffer.from(each.der).toString('base64'))];
    return command({ header: { x5c } });
  };

  it('is believed by a vehicle that knows the old root alone, over the cross certificate', async () => {
    const cross = await crossRoots(fleet.root, rogue.root);
    const given = { fleetRoots: [rogue.root.certificate] };
    expect(refusal(verifyCommand(await chain(cross), context(given)))).toBe('carry_out');
    expect(refusal(verifyCommand(await chain(), context(given)))).toBe('signer_chain');
  });

  it('is refused with a cross certificate by anyone else, or with more than crosses', async () => {
    const given = { fleetRoots: [rogue.root.certificate] };
    const [cross, foreign] = [await crossRoots(fleet.root, rogue.root), await createTestFleet()];
    expect(refusal(verifyCommand(await chain(await crossRoots(fleet.root, foreign.root)), context(given)))).toBe(
      'signer_chain',
    );
    expect(refusal(verifyCommand(await chain(cross, rogue.controlCa.certificate), context(given)))).toBe(
      'signer_chain',
    );
    expect(refusal(verifyCommand(await chain(cross, cross, cross, cross), context(given)))).toBe('signer_chain');
  });
});

describe('a command is refused', () => {
  test.each<[string, string, Record<string, unknown>, Partial<CommandContext>]>([
    ['for another vehicle', 'wrong_device', { device_id: 'device-2' }, {}],
    ['offered under another id', 'wrong_id', {}, { offeredId: OTHER_ID }],
    ['known with other bytes', 'altered', {}, { stored: 'other bytes' }],
    ['expired', 'expired (authentic)', { exp: SECONDS - 1 }, {}],
    ['at the very second of its expiry', 'expired (authentic)', { exp: SECONDS }, {}],
    ['without a nonce, with a clock an hour ahead', 'expired (authentic)', {}, off(3600)],
    ['its life over since the nonce, with a clock ahead', 'expired (authentic)', { nonce: NONCE }, off(3600, 31)],
    ['its life over since the nonce, with a clock behind', 'expired (authentic)', { nonce: NONCE }, off(-3500, 31)],
    ['expired, with a clock that went back since the nonce', 'expired (authentic)', { nonce: NONCE }, off(3600, -7200)],
    ['with the last counter again', 'counter (authentic)', { counter: 7 }, {}],
    ['with an earlier counter', 'counter (authentic)', { counter: 1 }, {}],
    ['of an earlier epoch', 'counter (authentic)', { epoch: 0, counter: 100 }, {}],
    ['of a higher epoch without a nonce', 'epoch (authentic)', { epoch: 2, counter: 1 }, {}],
    ['critical without a nonce', 'nonce (authentic)', { name: 'unlock' }, {}],
    ['critical without the nonce that was sent', 'nonce (authentic)', { name: 'unlock' }, { nonce: OWN }],
    ['with a nonce of someone else', 'nonce (authentic)', { nonce: 'B'.repeat(43) }, { nonce: OWN }],
    ['with a nonce where none was made', 'nonce (authentic)', { nonce: NONCE }, {}],
    ['with a member that this agent does not know', 'malformed', { only_if: 'parked' }, {}],
    ['without a counter', 'malformed', { counter: undefined }, {}],
    ['with a counter beyond 2^53-1', 'malformed', { counter: 2 ** 53 }, {}],
    ['with a counter of 0', 'malformed', { counter: 0 }, {}],
    ['with an expiry that is text', 'malformed', { exp: '9999999999' }, {}],
  ])('%s: %s', (_name, expected, payload, given) => {
    expect(refusal(verifyCommand(command({ payload }), context(given)))).toBe(expected);
  });

  test('expired before counter before nonce: the first check that fails is named', () => {
    const payload = { exp: SECONDS - 1, counter: 1, name: 'unlock' };
    expect(refusal(verifyCommand(command({ payload }), context()))).toBe('expired (authentic)');
  });

  test.each<[string, string, () => Promise<Forgery> | Forgery]>([
    [
      "of another fleet's signer",
      'signer_chain',
      async () => ({ signer: await issueCommandSigner(rogue), authority: rogue.controlCa }),
    ],
    [
      "of another fleet's signer beside our CA",
      'signer_chain',
      async () => ({ signer: await issueCommandSigner(rogue) }),
    ],
    ['without certificates', 'signer_chain', () => ({ header: { x5c: undefined } })],
    ['with the leaf alone', 'signer_chain', () => ({ header: { x5c: [der(signer)] } })],
    [
      'with the root in its chain',
      'signer_chain',
      () => ({ header: { x5c: [der(signer), der(fleet.controlCa), der(fleet.root)] } }),
    ],
    ['with words for certificates', 'signer_chain', () => ({ header: { x5c: ['one', 'two'] } })],
    ['with numbers for certificates', 'signer_chain', () => ({ header: { x5c: [1, 2] } })],
    [
      'of a signer whose certificate has lapsed',
      'signer_chain',
      async () => ({
        signer: await issue('command-signer', fleet.controlCa, {
          name: 'command',
          sanUri: serviceSpiffeId(TRUST_DOMAIN, 'command'),
          notBefore: new Date(NOW.getTime() - 7_200_000),
          notAfter: new Date(NOW.getTime() - 3_600_000),
        }),
      }),
    ],
    [
      'of a vehicle of the fleet',
      'signer_usage',
      async () => ({
        signer: await issue('vehicle', fleet.vehicleCa, {
          name: 'device-1',
          sanUri: `spiffe://${TRUST_DOMAIN}/vehicle/device-1`,
          crlUrl: 'http://127.0.0.1/crl',
          ocspUrl: 'http://127.0.0.1/ocsp',
        }),
        authority: fleet.vehicleCa,
      }),
    ],
    [
      'of another service',
      'signer_usage',
      async () => ({
        signer: await issue('service-server', fleet.infrastructureCa, {
          name: 'command',
          sanUri: serviceSpiffeId(TRUST_DOMAIN, 'command'),
          sanDns: ['localhost'],
        }),
        authority: fleet.infrastructureCa,
      }),
    ],
    ['with another typ', 'signature', () => ({ header: { typ: JWS_TYP.outcome } })],
    ['with a header that chooses the rules', 'signature', () => ({ header: { crit: ['exp'] } })],
    ['with a kid beside the chain', 'signature', () => ({ header: { kid: 'x' } })],
    ['signed by another key than the certificate', 'signature', () => ({ key: fleet.controlCa.privateKey })],
  ])('%s: %s', async (_name, expected, forge) => {
    expect(refusal(verifyCommand(command(await forge()), context()))).toBe(expected);
  });

  test('of the right service in another trust domain: signer_name', () => {
    const elsewhere = context({ trustDomain: TRUST_DOMAIN.replace('fleet', 'float') as typeof TRUST_DOMAIN });
    expect(refusal(verifyCommand(command(), elsewhere))).toBe('signer_name');
  });

  test('when any part of it was changed on the way', () => {
    const [header, payload, signature] = command().split('.') as [string, string, string];
    const edited = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('honk', 'bonk')).toString(
      'base64url',
    );
    expect(refusal(verifyCommand(`${header}.${edited}.${signature}`, context()))).toBe('signature');
    const none = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg: 'none' }),
    ).toString('base64url');
    expect(refusal(verifyCommand(`${none}.${payload}.${signature}`, context()))).toBe('signature');
  });

  test.each(['', 'a.b', '..', 'a.b.c.d', 'x'.repeat(70_000)])('when it is no JWS', (text) => {
    expect(refusal(verifyCommand(text, context()))).toBe('malformed');
  });
});
