/** docs/metrics.md: what the services tell Prometheus, as a table. */
import type { Family } from './exposition.js';

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly services: readonly string[];
  readonly help: string;
}

const HEAD = `# Metrics

What each service tells at \`/metrics\` of its plain HTTP listener, beside prom-client's own of the process (\`process_*\`, \`nodejs_*\`: CPU, memory, event loop lag, garbage collection). Held to
what a running suite exposes by \`e2e/18-observability\`; written by \`node e2e/dist/harness/metrics-page.command.js\`. How to use them: [observability](observability.md).

Names end in their unit: \`_seconds\`, \`_bytes\`, \`_total\` for what only grows. No label holds a device id, a serial number, a thumbprint, an address or any other name of one
vehicle or person: \`route\` is a template, \`subject\` a contract's, \`code\` one of [errors](errors.md). "all" are the seven services.

| metric | type | labels | of | |
|---|---|---|---|---|
`;

/** Exposed only where something is configured that the local default leaves out. */
export const OPTIONAL: readonly (Metric & { readonly condition: string })[] = [
  {
    name: 'outrider_trace_spans_total',
    type: 'counter',
    labels: ['fate'],
    services: [],
    condition: 'all, with `tracing`',
    help: 'Spans, by what became of them.',
  },
];

/** Whether a metric may be missing, or there. */
export function isOptional({ name }: Pick<Metric, 'name'>): boolean {
  return OPTIONAL.some((one) => one.name === name);
}

/** `le` is every histogram's own. */
const OWN = ['le'];

/** `services`: all that there are, in their order. */
export function metricsOf(exposed: readonly (Family & { service: string })[]): Metric[] {
  const byName = new Map<string, Metric>();
  for (const { name, type, help, samples, service } of exposed) {
    if (!name.startsWith('outrider_')) continue;
    const labels = samples.flatMap((sample) => Object.keys(sample.labels)).filter((label) => !OWN.includes(label));
    const known = byName.get(name);
    byName.set(name, {
      name,
      type,
      help,
      labels: [...new Set([...(known?.labels ?? []), ...labels])].sort(),
      services: [...new Set([...(known?.services ?? []), service])],
    });
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function pageOf(metrics: readonly Metric[], services: readonly string[]): string {
  const all = [...metrics.filter((metric) => !isOptional(metric)), ...OPTIONAL].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const rows = all.map((metric) => {
    const { name, type, labels, services: of, help } = metric;
    const some = services.filter((one) => of.includes(one)).join(', ');
    const whose = 'condition' in metric ? metric.condition : of.length === services.length ? 'all' : some;
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${whose} | ${help.replaceAll('|', '\\|')} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

/** What a page says, read back. */
export function readPage(text: string, services: readonly string[]): Metric[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `outrider_'))
    .map((line) => {
      const [, name = '', type = '', labels = '', whose = '', help = ''] = line
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim());
      return {
        name: name.replaceAll('`', ''),
        type,
        labels: labels === '' ? [] : labels.replaceAll('`', '').split(', '),
        services: whose === 'all' ? services : whose.split(', '),
        help: help.replaceAll('\\|', '|'),
      };
    });
}
