/** Names a path for a trace: the platform's own words stay, everything else may be an id and becomes `:id`. */

const WORDS: ReadonlySet<string> = new Set([
  ...['v1', 'oauth2', 'token', '.well-known'],
  ...['est', 'cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll', 'renewal-info'],
  ...['telemetry', 'window', 'offline-logs', 'segments', 'finish', 'fetch-orders', 'log-heads', 'devices'],
  ...['commands', 'next', 'stream', 'nonce', 'outcome'],
]);

export function routeOf(path: string): string {
  return path
    .split('/')
    .map((segment) => (segment === '' || WORDS.has(segment) ? segment : ':id'))
    .join('/');
}
