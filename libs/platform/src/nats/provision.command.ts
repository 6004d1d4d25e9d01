/**
 * `node provision.command.js --url URL --password-file FILE [--ca-file FILE] [--replicas N] [--team NAME] [--siem NAME] [--replay-from TIME]`: makes or updates the streams, durable
 * consumers and buckets of libs/contracts, as the user `provisioner`; besides, what the NATS users `team-NAME` and `siem-NAME` read by. A team's consumer
 * begins with what comes next; with `--replay-from` (RFC 3339) it begins anew, with what was stored at that time or later. `--replicas`: on how many
 * nodes each stream and bucket is kept, 1 (the default) or, in a cluster of three or more, 3: then one of them may be lost.
 */
import { parseArgs } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { isTeamUser } from '@outrider/contracts';
import { readSecret } from '../service/config.js';
import { provision } from './provision.client.js';
import { areServers, serversOf } from './servers.js';
import { tlsBy } from './tls-by.provider.js';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    user: { type: 'string', default: 'provisioner' },
    'password-file': { type: 'string' },
    'ca-file': { type: 'string' },
    team: { type: 'string', multiple: true, default: [] },
    siem: { type: 'string', multiple: true, default: [] },
    'replay-from': { type: 'string' },
    replicas: { type: 'string', default: '1' },
  },
});
const replayFrom = values['replay-from'] === undefined ? undefined : new Date(values['replay-from']);
const teams = [...values.team.map((name) => `team-${name}`), ...values.siem.map((name) => `siem-${name}`)];
const misfit = Number.isNaN(replayFrom?.getTime()) || (replayFrom && teams.length === 0) || !teams.every(isTeamUser);
const replicas = Number(values.replicas);
if (!values.url || !areServers(values.url) || !values['password-file'] || ![1, 3, 5].includes(replicas) || misfit) {
  console.error(
    'usage: provision.command.js --url URL --password-file FILE [--ca-file FILE] [--replicas 1|3|5] [--user NAME] [--team NAME] [--siem NAME] [--replay-from TIME]',
  );
  process.exit(2);
}

const connection = await connect({
  servers: serversOf(values.url),
  user: values.user,
  pass: readSecret(values['password-file']),
  inboxPrefix: `_INBOX.${values.user}`,
  timeout: 10_000,
  // Addresses that a server tells of are in nobody's certificate.
  ignoreClusterUpdates: true,
  ...(values['ca-file'] === undefined ? {} : { tls: tlsBy(values['ca-file'], values.url) }),
});
await provision(connection, { replicas, teams, replayFrom });
await connection.close();
