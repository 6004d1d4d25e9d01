import { readFileSync } from 'node:fs';
import { deniedInLog } from '../harness/decisions.js';
import { COSE, coseSign1, jws } from '../harness/formats.js';
import { processOf } from '../harness/processes.js';
import { head, Wire } from '../harness/wire.js';
import { attack, type Trial } from './attack.js';
import { type Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

const MIB = 1024 * 1024;
const MOST_MORE_MIB = 200;
const AT_ONCE = 20;

function residentMib(service: string): number {
  const status = readFileSync(`/proc/${processOf(service)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function bodies(car: Party): [string, string | Buffer, RegExp][] {
  const around = (payload: string) => `{"payload":${payload},"signature":"${'00'.repeat(64)}"}`;
  const withTelemetry = (telemetry: string) =>
    around(`{"device_id":"${car.id}","seq":9000,"ts":1,"telemetry":${telemetry}}`);
  const good = JSON.stringify(car.message({ seq: 9000 }));
  const refused = /^400 (request\.(malformed|invalid)|telemetry\.invalid)$/;
  const deep = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);
  return [
    ['1 MiB and a byte', Buffer.alloc(MIB + 1, 0x20), /^413 request\.too_large$/],
    ['100,000 arrays deep', deep('[', ']'), refused],
    ['100,000 objects deep', withTelemetry(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), refused],
    ['100,000 brackets', '['.repeat(100_000), refused],
    ['a member twice', good.replace('"seq":9000', '"seq":9000,"seq":9001'), refused],
    ['a member twice, one escaped', good.replace('"seq":9000', '"seq":9000,"s\\u0065q":9001'), refused],
    ['the payload twice', good.replace('{"payload"', `{"payload":{"device_id":"${car.id}"},"payload"`), refused],
    ['a lone surrogate', withTelemetry('{"a":"\\ud800"}'), refused],
    ['a lone surrogate as a name', withTelemetry('{"\\udfff":1}'), refused],
    ['a surrogate in UTF-8', Buffer.from(withTelemetry('{"a":"X"}').replace('X', '\xed\xa0\x80'), 'latin1'), refused],
    ['bytes that are no UTF-8', Buffer.from(withTelemetry('{"a":"X"}').replace('X', '\xff\xfe'), 'latin1'), refused],
    ['an overlong slash', Buffer.from(withTelemetry('{"a":"X"}').replace('X', '\xc0\xaf'), 'latin1'), refused],
    ['NaN', withTelemetry('{"a":NaN}'), refused],
    ['Infinity', withTelemetry('{"a":-Infinity}'), refused],
    ['a number of 1 MB', withTelemetry(`{"a":1${'0'.repeat(1_000_000)}}`), refused],
    ['a fraction of 1 MB', withTelemetry(`{"a":0.${'1'.repeat(1_000_000)}}`), refused],
    ['1e999999999', withTelemetry('{"a":1e999999999}'), refused],
    [
      '__proto__',
      good.replace('"seq":9000', '"seq":9000,"__proto__":{"device_id":"x"}'),
      /^(400|422) telemetry\.(invalid|bad_signature)$/,
    ],
    ['200,000 empty messages', `[${'{},'.repeat(200_000)}{}]`, /^(400|413) (request|telemetry)\.[a-z_]+$/],
    ['nothing', '', refused],
    ['noughts', Buffer.alloc(1000), refused],
  ];
}

/** Payloads of a COSE_Sign1 that is well signed otherwise. */
const PAYLOADS: [string, string][] = [
  ['indefinite length', 'bf6161f6ff'],
  ['a list of indefinite length', '9f01ff'],
  ['text of indefinite length', '7f6161ff'],
  ['a number longer than it need be', 'a161611801'],
  ['a length longer than it need be', 'b801616101'],
  ['a float longer than it need be', 'a16161fb3ff8000000000000'],
  ['names out of order', 'a2616201616101'],
  ['a name twice', 'a2616101616102'],
  ['not a number', 'a16161f97e00'],
  ['bytes', 'a161614101'],
  ['a tag', 'a16161c100'],
  ['text that is no UTF-8', 'a1616161ff'],
  ['a surrogate', 'a1616163eda080'],
  ['a text of 4 GiB', '7b00000000ffffffff'],
  ['a list of 2^53 elements', '9b0020000000000000'],
  ['100,000 lists deep', `${'81'.repeat(100_000)}00`],
  ['nothing', ''],
];
/** Bodies that are no COSE_Sign1. */
const CBOR: [string, string][] = [
  ['indefinite length', 'bf6161f6ff'],
  ['a COSE_Sign1 of indefinite length', 'd29f40a04000ff'],
  ['a number longer than it needs', 'd2845818a1'],
  ['a text of 4 GiB', '7b00000000ffffffff'],
  ['bytes of 4 GiB inside', 'd28443a10126a05affffffff'],
  ['100,000 tags', 'd2'.repeat(100_000)],
  ['100,000 lists deep', '81'.repeat(100_000)],
  ['noughts', '00'.repeat(1_000)],
];

async function asCbor(trial: Trial, car: Party): Promise<void> {
  const refused = /^(400 (request|telemetry)\.[a-z_]+|413 request\.too_large)$/;
  const sequence = 'application/cose-seq';
  for (const [what, hex] of CBOR) {
    const body = Buffer.from(hex, 'hex');
    trial.check(`CBOR: ${what}`, refused, said(await car.send(body, undefined, COSE)));
    const seen = said(await car.send(body, undefined, sequence));
    trial.check(`CBOR sequence: ${what}`, /^(400|413|200) (request|telemetry)\.[a-z_]+$/, seen);
  }
  for (const [what, hex] of PAYLOADS) {
    const body = coseSign1(Buffer.from(hex, 'hex'), car.signBytes);
    trial.check(`CBOR inside: ${what}`, refused, said(await car.send(body, undefined, COSE)));
  }
  for (const [what, text] of [
    ['a header of 1 MB', `${'e'.repeat(900_000)}.e30.AAAA`],
    ['100,000 parts', 'e30.'.repeat(100_000)],
    ['a payload nested deep', jws('['.repeat(100_000), car.signBytes)],
    ['a payload with a member twice', jws('{"a":1,"a":2}', car.signBytes)],
  ] as const) {
    trial.check(`JWS: ${what}`, refused, said(await car.send(text, undefined, 'application/jose')));
  }
}

async function byHand(trial: Trial, car: Party): Promise<void> {
  const authorization = `Bearer ${await car.token()}`;
  const json = { authorization, 'content-type': 'application/json' };
  const tries: [string, string, RegExp][] = [
    [
      'a content-length of 10 GB',
      head('POST', '/v1/telemetry', { ...json, 'content-length': '10737418240' }),
      /^413 request\.too_large$/,
    ],
    [
      'two content-lengths',
      head('POST', '/v1/telemetry', { ...json, 'content-length': '3\r\ncontent-length: 5' }),
      /^400/,
    ],
    [
      'content-length and chunks',
      head('POST', '/v1/telemetry', { ...json, 'content-length': '3', 'transfer-encoding': 'chunked' }),
      /^400/,
    ],
    ['20 KB of headers', head('GET', '/v1/telemetry/window', { authorization, x: 'a'.repeat(20_000) }), /^431/],
    ['a newline in the path', 'GET /v1/tele\nmetry HTTP/1.1\r\nhost: x\r\n\r\n', /^400/],
    [
      'a chunk of 4 GiB',
      `${head('POST', '/v1/telemetry', { ...json, 'transfer-encoding': 'chunked' })}ffffffff\r\n${' '.repeat(MIB + 1)}`,
      /^413 request\.too_large$/,
    ],
    ['no HTTP', `${'\0'.repeat(64)}\r\n\r\n`, /^400/],
  ];
  for (const [what, text, wanted] of tries) {
    const wire = await Wire.open('telemetry', car.files());
    trial.check(what, wanted, said(await wire.ask(text)));
    wire.close();
  }
}

export const hostileBodies = attack(
  23,
  'sends 1 MiB + 1 byte, a 10 GB content-length, 100,000-deep JSON, duplicate keys, lone surrogates, NaN, a 1 MB number, CBOR of all sorts',
  'refused early, memory bounded',
  async (trial) => {
    const car = await victim();
    await car.send(car.message());
    const before = residentMib('telemetry');
    for (const [what, body, wanted] of bodies(car)) trial.check(what, wanted, said(await car.send(body)));
    await asCbor(trial, car);
    await byHand(trial, car);
    const full = Buffer.alloc(MIB, 0x5b);
    await Promise.all(Array.from({ length: AT_ONCE }, () => car.send(full)));
    const more = residentMib('telemetry') - before;
    trial.must(
      'memory',
      more < MOST_MORE_MIB,
      `${Math.round(more)} MiB more`,
      `at most ${Math.max(0, Math.round(more))} MiB more`,
    );
    for (const code of ['request.malformed', 'telemetry.invalid'])
      await deniedInLog(code, { device: car.id, service: 'telemetry' });
    await unharmed(trial);
  },
);
