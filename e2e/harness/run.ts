/** Runs a program to its end, as a person would in a shell. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Default 30 s; then it is killed and its code is null. */
  readonly timeoutMs?: number;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, for those who write DER. */
  readonly bytes: Buffer;
}

/** Whatever its exit code. Rejects only when the program cannot be started. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { input, env, cwd, timeoutMs = 30_000 } = options;
  return new Promise((done, failed) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      cwd,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const [out, said]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    child.once('error', failed);
    child.once('close', (code) => {
      const bytes = Buffer.concat(out);
      done({ code, stdout: bytes.toString(), stderr: Buffer.concat(said).toString(), bytes });
    });
    // A program that reads nothing closes its end first.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

/** The same for what must succeed: rejects with what the program said. */
export async function must(program: string, args: readonly string[], options?: RunOptions): Promise<Finished> {
  const finished = await run(program, args, options);
  if (finished.code === 0) return finished;
  throw new Error(`${program} ${args.join(' ')}\nended with ${finished.code}:\n${finished.stderr}${finished.stdout}`);
}
