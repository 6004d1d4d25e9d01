/** `npm run attack [-- ROW...]`: all attacks, or those rows, against the running suite. Exit 1 when one was not held. */
import type { Attack, Outcome } from './attack.js';
import { ATTACKS } from './list.js';

const INDENT = ' '.repeat(4);
const WIDTH = 110;

const rows = process.argv.slice(2).map(Number);
const unknown = rows.filter((row) => !ATTACKS.some((attack) => attack.row === row));
if (unknown.length > 0) {
  console.error(
    `No such row here: ${process.argv.slice(2).join(' ')}. Rows: ${ATTACKS.map(({ row }) => row).join(' ')}`,
  );
  process.exit(2);
}

let lost = 0;
const wanted = ATTACKS.filter(({ row }) => rows.length === 0 || rows.includes(row));
for (const attack of wanted) {
  const begun = performance.now();
  const outcome = await attack.run();
  if (!outcome.held) lost += 1;
  print(attack, outcome, (performance.now() - begun) / 1000);
}
console.log(
  lost === 0 ? `\nAll ${wanted.length} attacks were held off.` : `\n${lost} of ${wanted.length} were NOT HELD.`,
);
// Attackers leave connections open.
process.exit(lost === 0 ? 0 : 1);

function print({ row, attacker, expected }: Attack, { held, seen }: Outcome, seconds: number): void {
  const verdict = held ? 'held' : 'NOT HELD';
  const title = wrapped(`${String(row).padStart(2)}  ${attacker}`);
  console.log(`${title[0]!.padEnd(WIDTH)}${verdict.padStart(9)}${`${seconds.toFixed(1)} s`.padStart(8)}`);
  for (const line of title.slice(1)) console.log(line);
  for (const line of wrapped(`${INDENT}expected  ${expected}`)) console.log(line);
  for (const line of wrapped(`${INDENT}seen      ${seen}`)) console.log(line);
}

/** Lines of at most WIDTH, the further ones under the first one's text. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ (?=\S)/)) {
    if (line && line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = `${INDENT}${' '.repeat(10)}${word}`;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}
