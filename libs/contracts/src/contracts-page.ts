/** Renders docs/messages.md from the list of contracts. */
import { CONTRACTS } from './all.js';
import { BUCKETS } from './streams.js';

/** The page as Markdown. */
export function contractsPage(): string {
  const rows = CONTRACTS.map((contract) => {
    const routed = contract.kind === 'event' && contract.routed ? '.*' : '';
    const kind = contract.kind === 'request' ? 'request' : contract.ephemeral ? 'event, ephemeral' : 'event, kept';
    const to = [contract.to].flat().join(', ') || 'whoever is configured';
    return `| \`${contract.subject}${routed}\` | ${kind} | ${contract.from.join(', ')} | ${to} |`;
  });
  const buckets = BUCKETS.map(({ name, writer, readers }) => {
    const who = readers === 'all' ? 'every service' : readers.join(', ');
    return `| \`${name}\` | ${writer ?? 'each instance its own key'} | ${who} |`;
  });
  return [
    '# Messages between services',
    '',
    'Made from `libs/contracts` (`node libs/contracts/dist/contracts-page.command.js > docs/messages.md`); a test holds it to the list. NATS permissions come from the same list.',
    'Kept events go through the JetStream stream `EVENTS`, at least once; `.*` stands for the routing token, a device id or an instance.',
    '',
    '| subject | kind | from | to |',
    '|---|---|---|---|',
    ...rows,
    '',
    '| KV bucket | written by | read by |',
    '|---|---|---|',
    ...buckets,
    '',
  ].join('\n');
}
