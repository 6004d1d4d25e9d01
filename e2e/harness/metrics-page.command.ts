/** Writes docs/metrics.md from the running suite. Labels of what has not happened in it are taken from the page as it was. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT, SERVICES } from './endpoints.js';
import { scrapeAll } from './exposition.js';
import { metricsOf, pageOf, readPage } from './metrics-page.js';

const FILE = join(PROJECT, 'docs', 'metrics.md');
const before = existsSync(FILE) ? readPage(readFileSync(FILE, 'utf8'), SERVICES) : [];
const metrics = metricsOf(await scrapeAll()).map((metric) => {
  const known = before.find(({ name }) => name === metric.name)?.labels ?? [];
  return { ...metric, labels: [...new Set([...known, ...metric.labels])].sort() };
});
writeFileSync(FILE, pageOf(metrics, SERVICES));
console.log(`${FILE}: ${metrics.length} metrics`);
