/** "Who may import whom" of the house style, as dependency-cruiser rules. */
import type { IRegularForbiddenRuleType } from 'dependency-cruiser';

const PURE_LIBS = '(ids|errors|crypto|canonicalization|replay-window|x509|admission|policy|evidence|merkle)';
const ROLES =
  '(controller|service|repository|entity|module|consumer|guard|filter|interceptor|listener|store|client|migration|command|provider)';
/** Tests, and what only tests use. */
const SPEC = '\\.(spec|fixture)\\.ts$';
/** A package by name, or where it resolves to. */
const NEST = '(^|/)@nestjs/';
const IO_PACKAGES = '(^|/)(@nestjs/|typeorm(/|$)|@nats-io/|nats(/|$)|pg(/|$))';
const IO_BUILTINS = '^(node:)?(fs|net|http|https|http2|tls|dgram|dns|child_process|timers|sqlite)(/|$)';
const SHELL_FILE = `\\.${ROLES}\\.ts$|/(main|config)\\.ts$`;

export const RULES: readonly IRegularForbiddenRuleType[] = [
  rule('no-circle', {}, { circular: true }),
  rule('every-import-resolves', {}, { couldNotResolve: true }),
  rule('only-tests-import-tests', from('^(apps|libs|tools)/', '^libs/testing/'), to(`${SPEC}|^libs/testing/`)),
  rule(
    'pure-libs-import-pure-libs',
    from(`^libs/${PURE_LIBS}/`),
    to('^(libs|apps|tools|e2e|bench)/', `^libs/${PURE_LIBS}/`),
  ),
  rule(
    'contracts-import-pure-libs',
    from('^libs/contracts/'),
    to('^(libs|apps|tools|e2e|bench)/', `^libs/(contracts|${PURE_LIBS})/`),
  ),
  rule(
    'platform-imports-pure-libs-and-contracts',
    from('^libs/platform/'),
    to('^(libs|apps|tools|e2e|bench)/', `^libs/(platform|contracts|${PURE_LIBS})/`),
  ),
  rule('only-platform-and-services-know-nest', from('^(libs|tools)/', '^libs/(platform|testing)/'), to(NEST)),
  rule(
    'pure-libs-do-no-io',
    from(`^libs/(contracts|${PURE_LIBS})/`, `${SPEC}|${SHELL_FILE}`),
    to(`${IO_PACKAGES}|${IO_BUILTINS}`),
  ),
  rule('apps-import-no-tools', from('^apps/'), to('^(tools|e2e|bench)/')),
  rule('apps-import-no-other-app', from('^apps/([^/]+)/'), to('^apps/', '^apps/$1/')),
  rule(
    'vehicle-and-cli-import-pure-libs-and-contracts',
    from('^apps/(vehicle|cli)/'),
    // operator-api holds types alone.
    to('^libs/', `^libs/(contracts|operator-api|${PURE_LIBS})/`),
  ),
  rule('vehicle-and-cli-know-no-nest', from('^apps/(vehicle|cli)/'), to(`${NEST}|(^|/)typeorm(/|$)|(^|/)@nats-io/`)),
  rule('tools-import-themselves', from('^tools/'), to('^(libs|apps|e2e|bench)/')),
  rule(
    'unsuffixed-files-are-pure',
    unsuffixed(),
    to(`${IO_PACKAGES}|${IO_BUILTINS}|^libs/platform/`, '^libs/platform/src/[^.]+\\.ts$'),
  ),
  rule('unsuffixed-files-import-no-shell', unsuffixed(), to(SHELL_FILE)),
];

/** Files of apps and libs that claim purity: no role suffix, no `index.ts`, no test. */
function unsuffixed() {
  return from('^(apps|libs)/[^/]+/src/', `${SPEC}|${SHELL_FILE}|/index\\.ts$|^libs/testing/`);
}

/** Tests may import anything: they are left out of every `from` unless it says otherwise. */
function from(path: string, pathNot = SPEC) {
  return { path, pathNot: pathNot.includes(SPEC) ? pathNot : `${pathNot}|${SPEC}` };
}

function to(path: string, pathNot?: string) {
  return pathNot === undefined ? { path } : { path, pathNot };
}

function rule(
  name: string,
  fromPart: IRegularForbiddenRuleType['from'],
  toPart: IRegularForbiddenRuleType['to'],
): IRegularForbiddenRuleType {
  return { name, severity: 'error', from: fromPart, to: toPart };
}
