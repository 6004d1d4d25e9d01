/** Puts into words what a fleet takes. */
import type { Capacity, Fleet } from './capacity.js';
import type { Measured } from './figures.js';

const NOT_MEASURED = 'not measured';

export function reportOf(fleet: Fleet, capacity: Capacity, { date, machine, conditions }: Measured): string {
  const { perSecond, parts, database, nats, connections, network, revocation } = capacity;
  const [first = '', second = ''] = capacity.dominates;
  const share = (name: string) => {
    const cores = parts.find((part) => part.name === name)?.cores ?? 0;
    return `${name} (${Math.round((100 * cores) / capacity.cores)} % of the cores)`;
  };
  return [
    `${count(fleet.vehicles)} vehicles, a record every ${fleet.intervalSeconds} s, ${fleet.recordsPerPost} in a POST; tokens of ${fleet.tokenSeconds} s, certificates of ${fleet.certificateHours} h`,
    '',
    ...table([
      ['a second', ''],
      ['records', count(perSecond.records)],
      ['POSTs', count(perSecond.posts)],
      ['tokens', count(perSecond.tokens)],
      ['renewals', count(perSecond.renewals)],
      ['questions whether to renew', count(perSecond.polls)],
      ['TLS handshakes', count(perSecond.handshakes)],
    ]),
    '',
    ...table([
      ['part', 'busy cores', `replicas at ${Math.round(fleet.utilisation * 100)} %`, 'for'],
      ...parts.map(({ name, cores, replicas, because, without }) => [
        name,
        cores?.toFixed(1) ?? NOT_MEASURED,
        count(replicas),
        cores !== null && without.length > 0 ? `${because}; without ${without.join(', ')}: ${NOT_MEASURED}` : because,
      ]),
      [
        'together',
        capacity.cores.toFixed(0),
        '',
        capacity.without.length > 0 ? `without ${capacity.without.join('; ')}` : '',
      ],
    ]),
    '',
    ...table([
      [
        'PostgreSQL',
        `primaries of ${fleet.coresPerDatabaseNode} cores: ${count(database.nodes)}, each with a synchronous standby`,
      ],
      [
        '',
        `${count(database.storedGiBADay)} GiB a day, ${count(database.storedTiB)} TiB over ${fleet.retentionDays} days; ${count(database.walMiBASecond)} MiB of WAL a second to each standby`,
      ],
      [
        'NATS',
        `${count(nats.regions)} regions with a stream of events each; ${count(nats.storedGiBADay)} GiB of events a day on all nodes`,
      ],
      ['connections', `${count(connections.open)} open, ${count(connections.memoryGiB)} GiB of memory`],
      ['network', `${count(network.inMbit)} Mbit/s in, ${count(network.outMbit)} Mbit/s out, TCP and IP not counted`],
      [
        'revocation',
        `${count(revocation.revokedADay)} a day; ${count(revocation.entries)} entries, ${revocation.denylistMiBAnInstance.toFixed(1)} MiB in each instance; a CRL shard of ${revocation.crlKiBAShard.toFixed(1)} KiB`,
      ],
    ]),
    '',
    `dearest: ${share(first)}, then ${share(second)}`,
    'extrapolated:',
    ...capacity.extrapolated.map((line) => `  ${line}`),
    `measured ${date} on ${machine}; ${conditions}`,
  ].join('\n');
}

/** With as many digits as it is worth. */
function count(value: number | null): string {
  if (value === null) return NOT_MEASURED;
  const rounded = value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
  return rounded.toLocaleString('en-US');
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}
