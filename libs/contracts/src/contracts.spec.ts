import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { SERVICES } from '@outrider/ids';
import { CONTRACTS } from './all.js';
import { contractsPage } from './contracts-page.js';
import {
  decisionMade,
  denylistAdd,
  deviceChanged,
  durableConsumers,
  filterOf,
  natsAuthorization,
  natsPermissions,
  readerPermissions,
  subjectOf,
} from './index.js';

test('docs/messages.md lists every message as it is', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/messages.md'), 'utf8')).toBe(contractsPage());
});

test('every subject is `<owner>.<noun>.<event or verb>.v<n>`, once', () => {
  const subjects = CONTRACTS.map(({ subject }) => subject);
  expect(new Set(subjects).size).toBe(subjects.length);
  for (const subject of subjects) expect(subject).toMatch(/^[a-z-]+\.[a-z_]+\.[a-z]+\.v\d+$/);
});

describe('permissions', () => {
  it.each(SERVICES)('%s may publish only what the list says it sends', (service) => {
    const { publish } = natsPermissions(service);
    const sends = CONTRACTS.filter((c) => (c.from as readonly string[]).includes(service)).map((c) =>
      c.kind === 'event' ? filterOf(c) : c.subject,
    );
    expect(publish.filter((subject) => !subject.startsWith('$'))).toEqual([...new Set(sends)].sort());
  });

  it('lets nobody but revocation write the denylist', () => {
    const writers = SERVICES.filter((service) =>
      natsPermissions(service).publish.some((subject) => subject.startsWith('$KV.DENYLIST')),
    );
    expect(writers).toEqual(['revocation']);
    expect(SERVICES.filter((service) => natsPermissions(service).publish.includes(denylistAdd.subject))).toEqual([
      'token',
      'gateway',
    ]);
  });

  it('lets nobody make a consumer of the events: the server would deliver to whatever subject it names', () => {
    const makers = SERVICES.filter((service) =>
      natsPermissions(service).publish.some((subject) =>
        /^\$JS\.API\.CONSUMER\.(?:DURABLE\.)?CREATE\.EVENTS/.test(subject),
      ),
    );
    expect(makers).toEqual([]);
    const names = durableConsumers().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    // Acknowledged together, and begun at each device's latest: for whoever keeps one word a device, and no one else.
    const latest = durableConsumers().filter((consumer) => consumer.latest);
    expect(latest.map(({ name }) => name)).toEqual(['gateway-telemetry-message-accepted-v1']);
    for (const service of SERVICES) {
      const reads = natsPermissions(service).publish.flatMap(
        (subject) => /^\$JS\.API\.CONSUMER\.MSG\.NEXT\.EVENTS\.(.+)$/.exec(subject)?.[1] ?? [],
      );
      expect(names).toEqual(expect.arrayContaining(reads));
    }
  });

  it('lets a service read back the last of its own events alone, and nobody any message by its number', () => {
    const reads = SERVICES.flatMap((service) =>
      natsPermissions(service)
        .publish.filter((subject) => /^\$JS\.API\.(?:DIRECT\.GET|STREAM\.MSG\.GET)\.EVENTS/.test(subject))
        .map((subject) => `${service}: ${subject}`),
    );
    expect(reads).toEqual(['telemetry: $JS.API.DIRECT.GET.EVENTS.telemetry.message.accepted.v1.*']);
  });

  it('lets nobody listen to another service’s inbox or to everything', () => {
    for (const service of SERVICES) {
      const inboxes = natsPermissions(service).subscribe.filter(
        (subject) => subject.startsWith('_INBOX') || subject.includes('>'),
      );
      expect(inboxes).toEqual([`_INBOX.${service}.>`]);
    }
  });

  it('read a flood by a user that answers nobody: each reply that it might send would cost the server', () => {
    const { publish, subscribe } = readerPermissions('gateway');
    expect(subscribe).toEqual(['_INBOX.gateway-reader.>']);
    expect(publish.filter((subject) => !/KV_DENYLIST/.test(subject))).toEqual([
      '$JS.ACK.EVENTS.gateway-telemetry-message-accepted-v1.>',
      '$JS.API.CONSUMER.INFO.EVENTS.gateway-telemetry-message-accepted-v1',
      '$JS.API.CONSUMER.MSG.NEXT.EVENTS.gateway-telemetry-message-accepted-v1',
    ]);
    expect(natsPermissions('gateway').publish.filter((subject) => subject.includes('telemetry-message'))).toEqual([]);
    for (const service of SERVICES) {
      // Read, and no more: neither a key put nor anything purged.
      const reads =
        /^\$JS\.(?:API\.(?:STREAM\.(?:INFO|MSG\.GET)|CONSUMER\.(?:CREATE|INFO|DELETE|MSG\.NEXT)|DIRECT\.GET)|FC)\.KV_DENYLIST(?:_SNAPSHOT)?(?:\.|$)/;
      const denylist = readerPermissions(service).publish.filter((subject) => !subject.includes('EVENTS'));
      expect(denylist).toHaveLength(16);
      expect(denylist.filter((subject) => !reads.test(subject))).toEqual([]);
    }
    const passwords = Object.fromEntries([...SERVICES, 'provisioner'].map((user) => [user, `${user}'s`]));
    const reader = /user: "gateway-reader"\n +password: "gateway's"\n[^}]*}[^}]*}/.exec(
      natsAuthorization(passwords as never),
    );
    expect(reader?.[0]).toContain('gateway-telemetry-message-accepted-v1');
    expect(reader?.[0]).not.toContain('allow_responses');
  });

  it('are not rendered with a password missing', () => {
    expect(() => natsAuthorization({ provisioner: 'x' } as never)).toThrow('no NATS password for fleet-ca');
  });
});

it('takes a routing token where the contract is routed, and no wildcard', () => {
  expect(subjectOf(deviceChanged, 'device-1')).toBe('provisioning.device.changed.v1.device-1');
  expect(() => subjectOf(deviceChanged)).toThrow('misused');
  expect(() => subjectOf(deviceChanged, '>')).toThrow('bad routing token');
  expect(() => subjectOf(decisionMade('token'), 'x')).toThrow('misused');
});
