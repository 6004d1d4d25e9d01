/** Says on standard error what a stage is doing, while it does it. */
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

/** A stage that failed in a way the user can read; anything else is a bug and keeps its stack. */
export class StageFailure extends Error {}

/** Runs one program quietly: a title while it runs; if it fails, what it printed (of that, what `excerpt` picks). */
export async function stage(title, program, args, { excerpt = (output) => output, ...options }) {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(0);
  const live = process.stderr.isTTY;
  process.stderr.write(live ? `${title} ...` : `${title} ...\n`);
  const tick = setInterval(
    () => process.stderr.write(live ? `\r${title} ... ${seconds()} s` : `${title}: still at it after ${seconds()} s\n`),
    live ? 1000 : 20_000,
  );
  const { code, output } = await runQuietly(program, args, options);
  clearInterval(tick);
  if (live) process.stderr.write('\r\x1b[K');
  if (code !== 0)
    throw new StageFailure(`${excerpt(output)}\n${title}: failed (exit ${code}), see above.${advice(output)}`);
  process.stderr.write(`${title}: done in ${seconds()} s\n`);
}

function runQuietly(program, args, options) {
  return new Promise((done) => {
    const chunks = [];
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => done({ code: 127, output: error.message }));
    child.on('close', (code, signal) =>
      done({ code: code ?? signal, output: stripVTControlCharacters(Buffer.concat(chunks).toString()).trim() }),
    );
  });
}

function advice(output) {
  if (/ENOSPC|no space left/i.test(output)) return ' The disk is full: make room, then run the same command again.';
  if (/EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED/.test(output)) return ' The npm registry was not reached.';
  return '';
}
