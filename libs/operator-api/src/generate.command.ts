/**
 * `node dist/generate.command.js`: writes `openapi.json`, the services' documents as one, and `paths.d.mts`, its types, beside itself.
 * Part of the build: services are built before, the command line, which is held against the types, after. No service is started.
 */
import { writeFileSync } from 'node:fs';
import { describeService, merge, routesOfModule, VERSION } from '@outrider/platform/openapi';
import openapiTS, { astToString } from 'openapi-typescript';

/** With listeners for operators or vehicles; fleet-ca has none. */
const SERVICES = ['provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'];

const documents = await Promise.all(
  SERVICES.map(async (service) => describeService(service, routesOfModule(await moduleOf(service)), VERSION)),
);
const merged = merge(documents);
write('openapi.json', `${JSON.stringify(merged)}\n`);
write('paths.d.mts', astToString(await openapiTS(JSON.stringify(merged))));

/** An app has no exports: what is read is its build. */
async function moduleOf(service: string): Promise<object> {
  const file = new URL(`../../../apps/${service}/dist/${service}.module.js`, import.meta.url);
  const exported = (await import(file.href)) as Record<string, object>;
  const module = exported[`${service.charAt(0).toUpperCase()}${service.slice(1)}Module`];
  if (!module) throw new Error(`${file.pathname} exports no module`);
  return module;
}

function write(name: string, text: string): void {
  writeFileSync(new URL(name, import.meta.url), text);
}
