/** A Grafana dashboard from little: rows of graphs, three in each, of one Prometheus data source. */

/** Grafana's names of units. */
export type Unit = 'reqps' | 's' | 'short' | 'bytes' | 'percentunit' | 'cps';

export interface Graph {
  readonly title: string;
  readonly unit: Unit;
  /** PromQL, and what a line is called (Grafana's `{{label}}`). */
  readonly lines: readonly (readonly [expression: string, legend: string])[];
}

export interface Row {
  readonly title: string;
  readonly graphs: readonly Graph[];
}

export interface Dashboard {
  /** File name, and Grafana's uid. */
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

/** @param lines PromQL, each with what its line is called. */
export function graph(title: string, unit: Unit, ...lines: Graph['lines']): Graph {
  return { title, unit, lines };
}

const SOURCE = { type: 'prometheus', uid: '$source' };
const WIDTH = 8;
const HEIGHT = 8;

/** The JSON model that Grafana's file provisioning reads. */
export function modelOf({ name, title, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    for (const [at, graph] of row.graphs.entries()) {
      const place = { x: (at % 3) * WIDTH, y: y + Math.floor(at / 3) * HEIGHT, w: WIDTH, h: HEIGHT };
      panels.push({ id: panels.length + 1, ...panelOf(graph), gridPos: place });
    }
    y += Math.ceil(row.graphs.length / 3) * HEIGHT;
  }
  return {
    uid: `outrider-${name}`,
    title: `Outrider: ${title}`,
    tags: ['outrider'],
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [{ name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus' }] },
    panels,
  };
}

function panelOf({ title, unit, lines }: Graph): object {
  return {
    type: 'timeseries',
    title,
    datasource: SOURCE,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: lines.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: SOURCE,
      expr,
      legendFormat,
    })),
  };
}

/** Events a second, summed by these labels. */
export function rate(counter: string, by = ''): string {
  return `sum${by ? ` by (${by})` : ''} (rate(${counter}[$__rate_interval]))`;
}

/** @param histogram its selector, with or without matchers: `name{...}`. */
export function quantile(q: number, histogram: string, by = ''): string {
  const [, name = '', matchers = ''] = /^(\w+)(.*)$/.exec(histogram) ?? [];
  const labels = by ? `le, ${by}` : 'le';
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${name}_bucket${matchers}[$__rate_interval])))`;
}
