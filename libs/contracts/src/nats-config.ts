/** Renders the authorization block of nats-server.conf from the permissions. */
import type { Service } from '@outrider/ids';
import { allNatsPermissions, readerOf, readerPermissions } from './nats-permissions.js';
import { isTeamUser, type TeamUser, teamPermissions } from './platform-team.js';

/**
 * Passwords (or bcrypt hashes of them) by user: each service, `provisioner`, which alone may create streams and buckets, and the teams
 * and SIEMs outside the suite that hear its events, `team-<name>` and `siem-<name>`.
 */
export type NatsUsers = Readonly<Record<Service | 'provisioner', string>> & Readonly<Record<TeamUser, string>>;

/** The text of an `authorization { users = [...] }` block; throws a plain error when a user's password is missing. */
export function natsAuthorization(users: NatsUsers): string {
  const blocks = [...allNatsPermissions()].flatMap(([service, permissions]) => [
    userBlock(service, passwordOf(users, service), [
      '    permissions: {',
      `      publish: { allow: ${list(permissions.publish)} }`,
      `      subscribe: { allow: ${list(permissions.subscribe)} }`,
      '      allow_responses: { max: 1, expires: "1m" }',
      '    }',
    ]),
    ...reader(service, passwordOf(users, service)),
  ]);
  const provisioner = userBlock('provisioner', passwordOf(users, 'provisioner'), [
    '    permissions: {',
    '      publish: { allow: ["$JS.API.>"] }',
    '      subscribe: { allow: ["_INBOX.provisioner.>"] }',
    '    }',
  ]);
  return `authorization {\n  users = [\n${[...blocks, provisioner, ...teams(users)].join('\n')}\n  ]\n}\n`;
}

function teams(users: NatsUsers): string[] {
  return Object.entries(users).flatMap(([user, password]) => {
    if (!/^(?:team|siem)-/.test(user)) return [];
    if (!isTeamUser(user))
      throw new Error(`${user}: a team is called team-<name>, a SIEM siem-<name>, in small letters, digits and dashes`);
    const { publish, subscribe } = teamPermissions(user);
    return [
      userBlock(user, password, [
        '    permissions: {',
        `      publish: { allow: ${list(publish)} }`,
        `      subscribe: { allow: ${list(subscribe)} }`,
        '    }',
      ]),
    ];
  });
}

/** The same service, so the same password. */
function reader(service: Service, password: string): string[] {
  const permissions = readerPermissions(service);
  return [
    userBlock(readerOf(service), password, [
      '    permissions: {',
      `      publish: { allow: ${list(permissions.publish)} }`,
      `      subscribe: { allow: ${list(permissions.subscribe)} }`,
      '    }',
    ]),
  ];
}

function passwordOf(users: NatsUsers, name: Service | 'provisioner'): string {
  const password = users[name];
  if (!password) throw new Error(`no NATS password for ${name}`);
  return password;
}

function userBlock(name: string, password: string, permissions: readonly string[]): string {
  return [
    '  {',
    `    user: ${JSON.stringify(name)}`,
    `    password: ${JSON.stringify(password)}`,
    ...permissions,
    '  }',
  ].join('\n');
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((s) => JSON.stringify(s)).join(', ')}]`;
}
