/** Renders docs/errors.md from the code table. */
import { CODES } from './codes.js';

const RETRY = { never: 'no', later: 'yes, later', changed: 'after a change' } as const;

/** The page as Markdown. */
export function codesPage(): string {
  const rows = Object.entries(CODES).map(
    ([code, { status, title, retry }]) => `| \`${code}\` | ${status} | ${title} | ${RETRY[retry]} |`,
  );
  return [
    '# Error codes',
    '',
    'Made from `libs/errors` (`node libs/errors/dist/codes-page.command.js > docs/errors.md`); a test holds it to the table. Codes are stable.',
    'They stand in `code` of `application/problem+json` (RFC 9457), in the text of an EST error, in `code` beside OAuth’s `error`, in replies over NATS, and in the decision log.',
    '',
    '| code | HTTP status | meaning | does trying again help? |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
