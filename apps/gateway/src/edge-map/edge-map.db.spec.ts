/** The map's client between a feed over TLS and a runtime socket that keeps what HAProxy would keep. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestFleet, issueService, until } from '@outrider/testing';
import { EdgeMap } from './edge-map.client.js';
import { HaproxyRuntime } from './haproxy-runtime.client.js';

const WAIT_MS = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'edge-map-'));
const at = (name: string) => join(folder, name);
let devices = new Set<string>();
let prepared = new Set<string>();

/** The devices' map after one command. */
function obey(command: string): string {
  if (command.startsWith('show info')) return 'Pid: 1\n';
  if (!command.includes('devices.map')) return command.startsWith('prepare') ? 'New version created: 1\n' : '';
  const [head = '', ...lines] = command.trim().split('\n');
  const values = lines.map((line) => line.split(' ')[0] ?? '').filter((value) => value !== '');
  if (head.startsWith('prepare')) prepared = new Set();
  if (head.startsWith('commit')) devices = prepared;
  if (head.startsWith('del')) devices.delete(head.split(' ').at(-1) ?? '');
  if (head.startsWith('add')) for (const value of values) (head.includes('@') ? prepared : devices).add(value);
  return head.startsWith('prepare') ? 'New version created: 1\n' : '';
}

const socket = createServer({ allowHalfOpen: true }, (connection) => {
  let command = '';
  connection.on('data', (part) => {
    command += part.toString();
  });
  connection.on('end', () => connection.end(obey(command)));
});
let feed: https.Server;
let answer: ServerResponse | undefined;
let map: EdgeMap;
let running: Promise<void>;

beforeAll(async () => {
  const fleet = await createTestFleet();
  const { certificatePem, privateKeyPem } = await issueService(fleet, 'gateway');
  const chain = certificatePem + fleet.infrastructureCa.certificatePem;
  for (const [name, pem] of [
    ['cert', chain],
    ['key', privateKeyPem],
    ['trust', fleet.root.certificatePem],
  ] as const)
    writeFileSync(at(name), pem);
  feed = https.createServer({ cert: chain, key: privateKeyPem }, (_request, response) => {
    response.flushHeaders();
    answer = response;
  });
  await Promise.all([once(feed.listen(0, '127.0.0.1'), 'listening'), once(socket.listen(at('socket')), 'listening')]);
  map = new EdgeMap({
    gateway: `https://127.0.0.1:${(feed.address() as AddressInfo).port}`,
    certificateFile: at('cert'),
    keyFile: at('key'),
    trustFile: at('trust'),
    folder,
    runtime: new HaproxyRuntime(at('socket'), folder),
    say: () => undefined,
  });
  running = map.run();
  await until(() => answer !== undefined, WAIT_MS);
}, 60_000);
afterAll(async () => {
  map?.stop();
  feed?.closeAllConnections();
  feed?.close();
  await running;
  socket.close();
  rmSync(folder, { recursive: true });
});

const say = (...lines: object[]) => answer?.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
const car = (value: string) => ({ kind: 'device', value });

const PROVEN = { type: 'beat', ageMs: 12 };

it('is what a whole list says, whatever came just before it in the same piece', async () => {
  say({ type: 'begin' }, car('car-1'), { type: 'end' }, PROVEN);
  await until(() => devices.has('car-1'), WAIT_MS);
  say({ ...car('car-1'), gone: true }, car('car-2'), { type: 'begin' }, car('car-1'), { type: 'end' }, PROVEN);
  say(car('car-3'));
  await until(() => devices.has('car-3'), WAIT_MS);
  expect([...devices].sort()).toEqual(['car-1', 'car-3']);
});

it('stays as it is where a gateway that has just begun knows nothing yet, and takes up what is denied meanwhile', async () => {
  const before = [...devices];
  expect(before.length).toBeGreaterThan(0);
  say({ type: 'begin' }, { type: 'end' }, { type: 'beat', ageMs: null }, car('car-4'));
  await until(() => devices.has('car-4'), WAIT_MS);
  expect([...devices].sort()).toEqual([...before, 'car-4'].sort());
  say({ type: 'begin' }, car('car-4'), { type: 'end' }, PROVEN);
  await until(() => devices.size === 1, WAIT_MS);
});
