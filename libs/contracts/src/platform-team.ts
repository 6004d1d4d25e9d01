/** What a team or a SIEM outside the suite may hear: each a NATS user of its own, with durable consumers that the provisioner makes for it. */
import { type EventContract, filterOf } from './contract.js';
import { decisionLogged } from './gateway.js';
import { durableConsumer, type NatsPermissions } from './nats-permissions.js';
import { messageAccepted, recordBackfilled } from './telemetry.js';

/** `<name>`: how an operator calls the team, or the SIEM. */
const TEAM_USER = /^(?:team|siem)-[a-z0-9][a-z0-9-]{0,31}$/;
export type TeamUser = `team-${string}` | `siem-${string}`;

/** The events that are for everybody's own services. */
export const TEAM_CONTRACTS: readonly EventContract[] = [messageAccepted, recordBackfilled];
/** Those that are for a SIEM. */
export const SIEM_CONTRACTS: readonly EventContract[] = [decisionLogged];

export function isTeamUser(user: string): user is TeamUser {
  return TEAM_USER.test(user);
}

/** The durable consumer by which a team hears one event, from where it left off. */
export function teamDurable(user: TeamUser, contract: EventContract): string {
  return `${user}-${contract.subject.replaceAll('.', '-')}`;
}

/** Those of one team; the provisioner makes them. */
export function teamConsumers(user: TeamUser): { readonly name: string; readonly filterSubject: string }[] {
  return (user.startsWith('siem-') ? SIEM_CONTRACTS : TEAM_CONTRACTS).map((contract) => ({
    name: teamDurable(user, contract),
    filterSubject: filterOf(contract),
  }));
}

/** To read and acknowledge by its own consumers; to publish nothing, to listen to nothing but its own inbox. */
export function teamPermissions(user: TeamUser): NatsPermissions {
  const publish = teamConsumers(user).flatMap(({ name }) => durableConsumer(name));
  return { publish: publish.sort(), subscribe: [`_INBOX.${user}.>`] };
}
