/** A suite's own configurations as values of the chart: for one machine, where the containers take the place of `npm start`'s processes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../../local/files.ts';
import { fleetFiles } from '../../local/fleet.ts';
import { SERVICES } from '../../local/services.ts';
import { places, type Settings } from '../../local/settings.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Config = Record<string, Json>;

/** What the chart itself says of every service. */
const OF_THE_CHART = ['service', 'identity', 'serviceRenewal', 'shutdown'];

/** `services.<name>.config` with every path as it is in the container, and what else of the home the chart makes ConfigMaps of. */
export function valuesFromHome(settings: Settings): Record<string, unknown> {
  const { config } = places(settings);
  const { factory } = fleetFiles(settings);
  const services = SERVICES.map(({ name }): [string, object] => {
    const own = readJson<Config>(join(config, `${name}.json`)) ?? {};
    const kept = Object.entries(own).filter(([key]) => !OF_THE_CHART.includes(key));
    const moved = Object.fromEntries(kept.map(([key, value]) => [key, inContainer(value, settings, name)]));
    const manufacturers = name === 'provisioning' ? { manufacturers: demoManufacturers(factory.ca) } : {};
    return [name, { config: moved, ...manufacturers }];
  });
  const gateway = readJson<{ authorization?: { edges: string[] } }>(join(config, 'gateway.json'));
  return {
    services: Object.fromEntries(services),
    edges: { ids: gateway?.authorization?.edges ?? [], apis: apis(join(config, 'apis')) },
  };
}

function demoManufacturers(ca: string): object[] {
  return existsSync(ca) ? [{ name: 'demo-motors', ca: readFileSync(ca, 'utf8') }] : [];
}

function apis(folder: string): Record<string, unknown> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return Object.fromEntries(names.map((name) => [name.slice(0, -'.json'.length), readJson(join(folder, name))]));
}

function inContainer(value: Json, settings: Settings, service: string): Json {
  if (typeof value === 'string') return moved(value, settings, service);
  if (Array.isArray(value)) return value.map((one) => inContainer(one, settings, service));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inContainer(one, settings, service)]));
}

/** The other side of the volumes in templates/deployments.yaml. Throws for a file that no container has. */
function moved(text: string, { home, project }: Settings, service: string): string {
  const places: readonly [RegExp, string][] = [
    [/^fleet\/trust\/([^/]+)$/, '/run/outrider/trust/$1'],
    [new RegExp(`^fleet/services/${service}\\.(crt|key)$`), '/run/outrider/identity/tls.$1'],
    [/^fleet\/services\/(ocsp-signer\.(?:crt|key))$/, '/run/outrider/secrets/$1'],
    [/^fleet\/factory\/ca\.crt$/, '/run/outrider/manufacturers/demo-motors.crt'],
    [/^fleet\/authorities\.json$/, '/run/outrider/ca/authorities.json'],
    [/^secrets\/(postgres-[a-z-]+-owner)$/, '/run/outrider/owner/$1'],
    [/^secrets\/([^/]+)$/, '/run/outrider/secrets/$1'],
    [/^config\/apis$/, '/run/outrider/apis'],
  ];
  const shipped: Readonly<Record<string, string>> = {
    policies: '/outrider/policies',
    'apps/command/catalogue': '/outrider/catalogue',
  };
  if (text.startsWith(`${home}/`)) {
    const from = text.slice(home.length + 1);
    for (const [pattern, to] of places) if (pattern.test(from)) return from.replace(pattern, to);
    throw new Error(`no container has a place for ${from}`);
  }
  if (!text.startsWith(`${project}/`)) return text;
  const to = shipped[text.slice(project.length + 1)];
  if (to === undefined) throw new Error(`${text} is in no image`);
  return to;
}
