import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from '@jest/globals';
import { buildCatalogue, checkCommand, kindDocument, policyWordOf, requireRight } from './catalogue.js';

const FOLDER = new URL('../../catalogue/', import.meta.url);
const files = Object.fromEntries(
  readdirSync(FOLDER).map((name) => [name, JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))]),
);
const shipped = buildCatalogue(files);
const honk = files['honk.json'];
const withParameters = (parameters: object) =>
  buildCatalogue({ 'a.json': { ...honk, parameters: { type: 'object', additionalProperties: false, ...parameters } } });

describe('the catalogue that is shipped', () => {
  it('has every file under its name', () => {
    expect([...shipped.keys()].map((name) => `${name}.json`).toSorted()).toEqual(Object.keys(files).toSorted());
  });

  it('calls critical what moves, opens or bares the vehicle, and lets recovery alone reach a quarantined one', () => {
    const named = (test: (name: string) => boolean) => [...shipped.keys()].filter(test).toSorted();
    expect(named((name) => shipped.get(name)!.critical)).toEqual([
      'fetch-logs',
      'immobilise',
      'recover',
      'remote-start',
      'unlock',
    ]);
    expect(named((name) => shipped.get(name)!.policy.recovery)).toEqual(['fetch-logs', 'recover']);
  });

  it('is told to operators with its schemas', () => {
    expect(kindDocument(shipped.get('unlock')!)).toEqual({
      name: 'unlock',
      title: 'Unlock the doors',
      critical: true,
      scopes: ['command:send', 'command:send-critical'],
      roles: ['fleet-operator', 'admin'],
      policy: { remote_control: true, recovery: false },
      parameters: { type: 'object', additionalProperties: false },
      after_crash: 'uncertain',
    });
  });
});

describe('a file that does not fit stops the start, by its name', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['an unknown member', { 'a.json': { ...honk, colour: 'red' } }, 'a.json'],
    ['no critical', { 'a.json': { ...honk, critical: undefined } }, 'a.json'],
    ['a name with a slash', { 'a.json': { ...honk, name: '../x' } }, 'a.json'],
    ['open parameters', { 'a.json': { ...honk, parameters: { type: 'object' } } }, 'a.json'],
    ['two of a name', { 'a.json': honk, 'b.json': honk }, 'b.json'],
    ['no files', {}, 'empty'],
  ])('%s', (_name, given, said) => {
    expect(() => buildCatalogue(given)).toThrow(said);
  });

  it('an unknown keyword of a schema, which would check nothing', () => {
    expect(() => withParameters({ properties: { n: { type: 'integer', maximun: 3 } } })).toThrow('a.json');
  });
});

describe('parameters', () => {
  it('get their defaults, and what was given is left as it is', () => {
    const given = {};
    expect(checkCommand(shipped, 'honk', given).parameters).toEqual({ times: 1 });
    expect(checkCommand(shipped, 'honk', undefined).parameters).toEqual({ times: 1 });
    expect(given).toEqual({});
  });

  test.each<[string, string, Record<string, unknown>, string]>([
    ['too many', 'honk', { times: 99 }, 'times: must be <= 5'],
    ['of another type', 'honk', { times: '2' }, 'times: must be integer'],
    ['unknown', 'locate', { where: 1 }, 'additional properties'],
    ['missing', 'set-interval', {}, "required property 'seconds'"],
  ])('%s', (_name, name, parameters, said) => {
    expect(() => checkCommand(shipped, name, parameters)).toThrow(
      expect.objectContaining({ code: 'command.parameters_invalid', detail: expect.stringContaining(said) }),
    );
  });

  it('are small, and of text that PostgreSQL can keep', () => {
    const catalogue = withParameters({ properties: { text: { type: 'string' } } });
    const refused = expect.objectContaining({ code: 'command.parameters_invalid' });
    for (const text of ['a\0b', '\ud83d', 'x'.repeat(4096)])
      expect(() => checkCommand(catalogue, 'honk', { text })).toThrow(refused);
    expect(checkCommand(catalogue, 'honk', { text: '\\u0000' }).parameters).toEqual({ text: '\\u0000' });
  });

  it('of a name that is none, an object’s own names too', () => {
    for (const name of ['fly', 'constructor', '__proto__'])
      expect(() => checkCommand(shipped, name, {})).toThrow(
        expect.objectContaining({ code: 'command.unknown_name', detail: expect.stringContaining('honk, ') }),
      );
  });
});

test('a critical command needs the elevated scope, a limited one a role that it names', () => {
  const right = (name: string, roles: string[], scopes: string[]) => () =>
    requireRight(shipped.get(name)!, { roles, scopes });
  expect(right('unlock', ['fleet-operator'], ['command:send', 'command:send-critical'])).not.toThrow();
  expect(right('unlock', ['fleet-operator'], ['command:send'])).toThrow('auth.scope_insufficient');
  expect(right('unlock', ['partner'], ['command:send', 'command:send-critical'])).toThrow('auth.role_insufficient');
  expect(right('set-interval', ['partner'], ['command:send'])).toThrow('auth.role_insufficient');
  expect(right('honk', ['partner'], ['command:send'])).not.toThrow();
});

test('a command that the catalogue has lost counts as remote control, and is for no recovery', () => {
  expect(policyWordOf(shipped, 'recover')).toEqual({ remoteControl: false, recovery: true });
  expect(policyWordOf(shipped, 'gone')).toEqual({ remoteControl: true, recovery: false });
});
