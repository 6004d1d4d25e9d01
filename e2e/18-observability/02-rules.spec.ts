import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { PROJECT, SERVICES } from '../harness/endpoints.js';
import { type Family, scrapeAll } from '../harness/exposition.js';
import { itWith } from '../harness/installed.js';
import { readPage } from '../harness/metrics-page.js';
import { readQuery } from '../harness/promql.js';
import { must } from '../harness/run.js';

const FOLDER = join(PROJECT, 'deploy', 'observability');
const RUNBOOKS = 'https://outrider.dev/docs/runbooks/';
/** Given by whoever scrapes. */
const OF_TARGETS = ['job', 'service', 'instance'];
const HISTOGRAM = /_(?:bucket|sum|count)$/;

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Of promtool's file. */
interface Tested {
  readonly alertname: string;
  readonly exp_alerts: readonly object[];
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const filesOf = (folder: string, suffix: string) =>
  readdirSync(join(FOLDER, folder))
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(FOLDER, folder, name));
const ruleFiles = filesOf('prometheus/rules', '.yml');
const alerts = ruleFiles.flatMap((file) => {
  const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
});
const graphs = filesOf('grafana/dashboards', '.json').flatMap((file) => {
  const { title, panels } = JSON.parse(readFileSync(file, 'utf8')) as { title: string; panels: Panel[] };
  return panels.flatMap((panel) =>
    (panel.targets ?? []).map((target) => ({ name: `${title}, ${panel.title}`, ...target })),
  );
});

let exposed: Family[];
beforeAll(async () => {
  exposed = await scrapeAll();
});

/** What of an expression no service exposes. Labels that have not come up yet are known by docs/metrics.md. */
function unknownIn(expression: string): string[] {
  const documented = readPage(readFileSync(join(PROJECT, 'docs', 'metrics.md'), 'utf8'), SERVICES);
  const { selectors } = readQuery(expression);
  return selectors.flatMap(({ metric, labels }) => {
    if (metric === 'up') return [];
    const families = exposed.filter(
      ({ name, type }) => name === metric || (type === 'histogram' && name === metric.replace(HISTOGRAM, '')),
    );
    if (families.length === 0) return [`no service exposes ${metric}`];
    const seen = families.flatMap(({ samples }) => samples.flatMap((sample) => Object.keys(sample.labels)));
    const known = [
      ...OF_TARGETS,
      ...seen,
      ...(documented.find(({ name }) => name === families[0]?.name)?.labels ?? []),
    ];
    return labels.filter((label) => !known.includes(label)).map((label) => `${metric} has no label ${label}`);
  });
}

describe('alerts', () => {
  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s asks for what there is, and has a runbook',
    (_name, alert) => {
      expect(unknownIn(alert.expr)).toEqual([]);
      expect(['page', 'ticket']).toContain(alert.labels?.severity);
      expect(alert.annotations?.summary).toBeTruthy();
      const runbook = alert.annotations?.runbook_url ?? '';
      expect(runbook.startsWith(RUNBOOKS)).toBe(true);
      const file = join(PROJECT, 'docs', 'runbooks', runbook.slice(RUNBOOKS.length));
      expect([file, existsSync(file)]).toEqual([file, true]);
      // Whoever is woken finds the page by the alert's name.
      expect(readFileSync(file, 'utf8')).toContain(alert.alert);
    },
  );

  it('would notice a metric, or a label, that nobody exposes', () => {
    expect(unknownIn('rate(outrider_no_such_total[5m]) > 0')).toEqual(['no service exposes outrider_no_such_total']);
    expect(unknownIn('outrider_denylist_age_seconds{device="x"} > 5')).toEqual([
      'outrider_denylist_age_seconds has no label device',
    ]);
    expect(() => unknownIn('sum by (service (up)')).toThrow('no PromQL');
  });

  it('are each tested to fire', () => {
    const fired = filesOf('prometheus/tests', '.yml').flatMap((file) => {
      const { tests } = parse(readFileSync(file, 'utf8')) as { tests: { alert_rule_test: Tested[] }[] };
      return tests.flatMap(({ alert_rule_test: of }) => of.filter(({ exp_alerts: expected }) => expected.length > 0));
    });
    expect([...new Set(fired.map(({ alertname }) => alertname))].sort()).toEqual(
      alerts.map(({ alert }) => alert).sort(),
    );
  });

  const test = itWith(['promtool']);
  test('hold by promtool, and fire when they should', async () => {
    await must('promtool', ['check', 'rules', ...ruleFiles]);
    await must('promtool', ['test', 'rules', ...filesOf('prometheus/tests', '.yml')]);
  }, 60_000);

  test('are loaded by the configuration that is delivered', async () => {
    const { stdout } = await must('promtool', ['check', 'config', join(FOLDER, 'prometheus', 'prometheus.yml')]);
    expect(stdout).toContain('1 rule files found');
  });
});

describe('runbooks', () => {
  const pages = readdirSync(join(PROJECT, 'docs', 'runbooks')).map((name) => join(PROJECT, 'docs', 'runbooks', name));

  it('speak of metrics that there are', () => {
    const named = pages.flatMap((page) => readFileSync(page, 'utf8').match(/\boutrider_[a-z_]+/g) ?? []);
    expect(named.length).toBeGreaterThan(0);
    expect([...new Set(named)].flatMap((name) => unknownIn(name))).toEqual([]);
  });
});

describe('dashboards', () => {
  it.each(graphs.map((graph) => [graph.name, graph] as const))(
    '%s draws what there is',
    (_name, { expr, legendFormat }) => {
      expect(unknownIn(expr.replaceAll('$__rate_interval', '5m'))).toEqual([]);
      expect(legendFormat).not.toBe('');
    },
  );

  it('are as they are written in TypeScript', async () => {
    await must(process.execPath, [join(PROJECT, 'tools', 'observability', 'write-dashboards.ts'), '--check']);
  });
});
