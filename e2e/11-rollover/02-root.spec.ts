import { copyFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { activeGeneration, caStep } from '../harness/ca.js';
import { at, ENDPOINTS_FILE, endpoints, VEHICLE_SERVICES } from '../harness/endpoints.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { outriderJson } from '../harness/outrider.js';
import { must, run } from '../harness/run.js';
import { sleep, until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const WAIT_SECONDS = 6;

/** Whether a client that knows these anchors alone believes the server. */
async function believes(anchors: string, origin: string): Promise<boolean> {
  const { host } = new URL(origin);
  const args = ['s_client', '-connect', host, '-CAfile', anchors, '-no-CApath', '-no-CAstore', '-x509_strict'];
  const { code } = await run('openssl', [...args, '-verify_return_error', '-verify_ip', '127.0.0.1', '-brief']);
  return code === 0;
}

const believedEverywhere = async (anchors: string) =>
  (await Promise.all(VEHICLE_SERVICES.map((name) => believes(anchors, at(name, 'vehicle'))))).every(Boolean);

/** A vehicle that knows what its factory put in, and not what the suite's own files say by now. */
class Pinned {
  agent: Agent | undefined;
  readonly id = newDeviceId('root');
  #folder = '';
  readonly #endpoints: string;

  constructor(roots: string) {
    const { services } = JSON.parse(readFileSync(ENDPOINTS_FILE, 'utf8'));
    const trust = { server: roots, fleetRoot: roots };
    this.#endpoints = file(`${this.id}.json`, JSON.stringify({ trust, services }));
  }

  async start(): Promise<Agent> {
    this.#folder ||= (await makeDevice(this.id)).folder;
    const identity = ['--state', inFolder(this.id), '--factory', this.#folder];
    this.agent = new Agent('run', ...identity, '--endpoints', this.#endpoints, '--interval', '300ms');
    return this.agent;
  }

  async restart(): Promise<Agent> {
    await this.agent?.stop();
    return this.start();
  }

  async honks(): Promise<unknown> {
    return (await outriderJson('command', 'send', this.id, 'honk', '--wait', '40')).state;
  }
}

describe('the fleet root rolls over', () => {
  let [before, next] = [0, 0];
  let [oldRoot, newRoot] = ['', ''];
  let [driving, away]: Pinned[] = [];

  beforeAll(async () => {
    before = await activeGeneration('fleet-root');
    oldRoot = inFolder('old-root.pem');
    copyFileSync(endpoints.trust.fleetRoot, oldRoot);
    driving = new Pinned(oldRoot);
    away = new Pinned(oldRoot);
    await Promise.all([driving, away].map(async (vehicle) => (await vehicle.start()).seen('accepted')));
    await away.agent?.stop();
  });
  afterAll(() => Promise.all([driving, away].map((vehicle) => vehicle?.agent?.stop())));

  test('a new root is published, and servers are believed by who knows either', async () => {
    const { generations, made, servers } = await caStep('rollover', 'fleet-root');
    next = Math.max(...Object.keys(generations).map(Number));
    expect([generations[before], generations[next]]).toEqual(['active', 'published']);
    expect(made).toHaveLength(3);
    expect(servers).toContain('telemetry');
    const bundle = readFileSync(endpoints.trust.fleetRoot, 'utf8');
    newRoot = file('new-root.pem', bundle.slice(bundle.lastIndexOf('-----BEGIN')));
    // After an earlier rollover openssl follows the way to the root before alone, until the new one is active.
    if (before === 1) await until('the servers send the new chain', () => believedEverywhere(newRoot));
    else await sleep(5000);
    expect(await believedEverywhere(oldRoot)).toBe(true);
  });

  test('a vehicle that drives learns it, by the old root’s word', async () => {
    const agent = await driving!.restart();
    const { thumbprint } = await agent.seen('root_learned');
    const { bytes } = await must('openssl', ['x509', '-in', newRoot, '-outform', 'DER']);
    const { bytes: digest } = await must('openssl', ['dgst', '-sha256', '-binary'], { input: bytes });
    expect(thumbprint).toBe(digest.toString('base64url'));
    await agent.seen('accepted', { from: agent.events.length });
  });

  test('it certifies every authority anew; telemetry flows and commands are believed all the while', async () => {
    await sleep(WAIT_SECONDS * 1000);
    const { made } = await caStep('activate', 'fleet-root', String(next), '--min-wait', String(WAIT_SECONDS));
    expect(made.filter((name) => name.includes(`under-${next}`)).length).toBeGreaterThanOrEqual(3);
    await sleep(5000);
    expect([await believedEverywhere(oldRoot), await believedEverywhere(newRoot)]).toEqual([true, true]);
    expect(await driving!.honks()).toBe('succeeded');
    await driving!.agent!.seen('accepted', { from: driving!.agent!.events.length });
  });

  test('the old root is retired, and the vehicle that drives gives it up', async () => {
    await caStep('retire', 'fleet-root', String(before), '--force');
    await sleep(5000);
    expect([await believedEverywhere(oldRoot), await believedEverywhere(newRoot)]).toEqual([true, true]);
    const agent = await driving!.restart();
    await agent.seen('root_given_up');
    await agent.seen('accepted', { from: agent.events.length });
    expect(await driving!.honks()).toBe('succeeded');
  });

  test('one that was switched off all the while, and knows the old root alone, comes back', async () => {
    const agent = await away!.start();
    await agent.seen('root_learned');
    await agent.seen('accepted');
    expect(await away!.honks()).toBe('succeeded');
    expect(agent.of('failed')).toEqual([]);
  });

  test('every service was ready throughout, with the new trust', async () => {
    for (const name of VEHICLE_SERVICES) {
      const answer = await fetch(`${at(name, 'http')}/readyz`);
      expect(await answer.json()).toMatchObject({ status: 'ready', checks: { 'trust-files': { ok: true } } });
    }
  });
});
