/** One bootstrap at a time in one clone: `npm test` beside `npm start` must not build into the same folders at once. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export async function withLock(root, work) {
  mkdirSync(join(root, '.nx'), { recursive: true });
  const file = join(root, '.nx', 'bootstrap.lock');
  for (let told = false; !tryLock(file); ) {
    if (!told) process.stderr.write('Waiting for another Outrider command to finish installing or building ...\n');
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (!holderLives(file)) rmSync(file, { force: true });
    return false;
  }
}

function holderLives(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (!pid) return false;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
