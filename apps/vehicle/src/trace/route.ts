/** Names a path for a trace: words stay, whatever may be an id becomes `:id`. */

const WORD = /^(?:v\d|oauth2|\.well-known|[a-z]+(?:-[a-z]+)*)$/;

export function routeOf(path: string): string {
  return path
    .split('/')
    .map((segment) => (segment === '' || WORD.test(segment) ? segment : ':id'))
    .join('/');
}
