/** Decides which rule of a team's API a request falls under; what no rule names is nobody's (deny by default). */
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import type { OriginalTarget } from './original-target.js';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const;

/** `/v1/vehicles/{device}/trips`; `*` is any one segment, `{device}` one that names the caller, a last `**` any one or more. */
const PathPattern = z
  .string()
  .max(512)
  .regex(
    /^(?:\/|(?:\/(?:[A-Za-z0-9._~!$&'()+,=:@-]+|\*|\{device\}))+(?:\/\*\*)?|\/\*\*)$/,
    'segments of plain characters, `*`, `{device}`, and `**` at the end',
  )
  .refine((path) => !/\/\.{1,2}(?:\/|$)/.test(path), 'no segments of dots')
  .refine((path) => path.split('{device}').length <= 2, '{device} once');

const common = { methods: z.array(z.enum(METHODS)).min(1), path: PathPattern } as const;
const recovery = z.boolean().default(false);

/** `scopes`: any one of them. `control`: fails closed on an older denylist than the rest, and asks for a DPoP proof. `recovery`: open in recovery mode. */
const Rule = z.discriminatedUnion('admit', [
  z.strictObject({
    ...common,
    admit: z.literal('token'),
    scopes: z.array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,128}$/)).min(1),
    control: z.boolean().default(false),
    recovery,
  }),
  z.strictObject({ ...common, admit: z.literal('certificate'), recovery }),
  /** No certificate and no token; the denylist holds for networks, and for a certificate that is shown all the same. */
  z.strictObject({ ...common, admit: z.literal('anyone') }),
  /** Written out before a wider rule. */
  z.strictObject({ ...common, admit: z.literal('nobody') }),
]);
export type Rule = z.infer<typeof Rule>;

const Host = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, 'a host name in lower case, without a port');

/** One API behind edges: its file. */
export const ApiRules = z.strictObject({
  name: z.string().regex(/^[a-z][a-z-]{0,31}$/),
  hosts: z.array(Host).min(1),
  /** The `aud` of tokens for it. */
  audience: z.string().regex(/^urn:outrider:[a-z-]{1,32}$/),
  /** Where vehicles reach it, without a trailing slash: what a proof's `htu` is compared with. */
  publicUrls: z.array(z.url().regex(/^https:\/\/.*[^/]$/, 'an https URL without a trailing slash')).min(1),
  /** The first one that fits counts. */
  rules: z.array(Rule).min(1).max(1000),
});
export type ApiRules = z.infer<typeof ApiRules>;

export interface Api extends ApiRules {
  readonly compiled: readonly CompiledRule[];
}

interface CompiledRule {
  readonly rule: Rule;
  readonly methods: ReadonlySet<string>;
  readonly segments: readonly string[];
  readonly folded: readonly string[];
  readonly open: boolean;
}

export type Route =
  | { readonly found: true; readonly rule: Rule; readonly pathDevice: string | undefined }
  | { readonly found: false; readonly code: 'gateway.route_unknown' | 'gateway.path_ambiguous' };

const UNKNOWN: Route = { found: false, code: 'gateway.route_unknown' };
const AMBIGUOUS: Route = { found: false, code: 'gateway.path_ambiguous' };

export function compileApi(rules: ApiRules): Api {
  return { ...rules, compiled: rules.rules.map(compileRule) };
}

/** By host, in lower case and without a port. Throws a plain error where two APIs share one: no request may have two sets of rules. */
export function apisByHost(apis: readonly Api[]): ReadonlyMap<string, Api> {
  const byHost = new Map<string, Api>();
  for (const api of apis) {
    for (const host of api.hosts) {
      const other = byHost.get(host);
      if (other) throw new Error(`${host} is a host of ${other.name} and of ${api.name}`);
      byHost.set(host, api);
    }
  }
  return byHost;
}

/** `Host` or `:authority` as sent: the name, in lower case, without port and last full stop. */
export function hostName(authority: string): string {
  return authority
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
}

/**
 * HEAD falls under what GET does. A path that differs from an earlier rule's in case alone is refused: to many an API it is that
 * rule's path, and a wider rule below must not let it by.
 */
export function findRoute(api: Api, method: string, { segments }: OriginalTarget): Route {
  let folded: readonly string[] | undefined;
  for (const one of api.compiled) {
    if (!one.methods.has(method)) continue;
    if (fits(one, one.segments, segments)) return { found: true, rule: one.rule, pathDevice: deviceOf(one, segments) };
    folded ??= segments.map((segment) => segment.toLowerCase());
    if (fits(one, one.folded, folded)) return AMBIGUOUS;
  }
  return UNKNOWN;
}

function compileRule(rule: Rule): CompiledRule {
  const all = rule.path === '/' ? [] : rule.path.slice(1).split('/');
  const open = all.at(-1) === '**';
  const segments = open ? all.slice(0, -1) : all;
  const methods = new Set<string>(rule.methods);
  if (methods.has('GET')) methods.add('HEAD');
  return { rule, methods, segments, folded: segments.map((one) => one.toLowerCase()), open };
}

function fits({ open }: CompiledRule, pattern: readonly string[], segments: readonly string[]): boolean {
  if (open ? segments.length <= pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((one, i) => one === '*' || one === '{device}' || one === segments[i]);
}

/** A name that no device can have is no device's: undefined would let it by. */
function deviceOf({ segments: pattern }: CompiledRule, segments: readonly string[]): string | undefined {
  const index = pattern.indexOf('{device}');
  if (index < 0) return undefined;
  return DeviceId.safeParse(segments[index]).success ? segments[index] : '';
}
