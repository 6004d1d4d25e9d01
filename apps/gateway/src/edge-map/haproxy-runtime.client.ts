import { createConnection } from 'node:net';
import { EDGE_KINDS } from './feed-line.js';
import { addCommands, type Held, mapFile, preparedVersion } from './runtime-commands.js';

const TIMEOUT_MS = 5_000;

/** HAProxy's runtime API on its socket: one connection a command, as it is without a prompt. */
export class HaproxyRuntime {
  constructor(
    private readonly socketPath: string,
    private readonly folder: string,
  ) {}

  /** The answer; rejects for one that is a complaint. */
  async run(command: string): Promise<string> {
    const answer = await this.send(command);
    if (/^(?:Unknown|Can't|Invalid|'|Permission|Missing|Data structure)/m.test(answer.trim()))
      throw new Error(`${command.split('\n', 1)[0]}: ${answer.trim()}`);
    return answer;
  }

  async runAll(commands: readonly string[]): Promise<void> {
    for (const command of commands) await this.run(command);
  }

  /** Puts `held` in the place of all that the maps hold, each map at one moment. */
  async replace(held: Held): Promise<void> {
    for (const kind of EDGE_KINDS) {
      const file = mapFile(this.folder, kind);
      const answer = await this.run(`prepare map ${file}`);
      const version = preparedVersion(answer);
      if (version === undefined) throw new Error(`prepare map ${file}: ${answer.trim()}`);
      for (const command of addCommands(file, held[kind], version)) await this.run(command);
      await this.run(`commit map @${version} ${file}`);
    }
  }

  /** Of the process that answers: another one has read its maps from their files. */
  async process(): Promise<string> {
    const answer = await this.run('show info');
    return /^Pid: (\d+)$/m.exec(answer)?.[1] ?? '';
  }

  private send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = createConnection(this.socketPath, () => socket.end(`${command}\n`));
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('the runtime socket does not answer')));
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
      });
      socket.once('end', () => resolve(answer));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the runtime socket was closed')));
    });
  }
}
