import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { EDGE_KINDS, type FeedEntry, FeedLine } from './feed-line.js';
import type { HaproxyRuntime } from './haproxy-runtime.client.js';
import { changeCommands, type Held, mapFile, nothingHeld } from './runtime-commands.js';

const SILENCE_MS = 5_000;
const RETRY_MS = 500;
const FILES_EVERY_MS = 5_000;

export interface EdgeMapOptions {
  /** Base URL of gateway's authorization listener. */
  readonly gateway: string;
  /** PEM files: this edge's certificate with its chain, its key, and what gateway's certificate must lead to. */
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly trustFile: string;
  /** Where the maps' files are; they are written anew, so that a HAProxy that starts again begins with what was known. */
  readonly folder: string;
  readonly runtime: HaproxyRuntime;
  readonly say: (line: object) => void;
}

/** Keeps an edge's maps as the denylist is: the whole list once a connection, then each change as it comes. */
export class EdgeMap {
  private held: Held = nothingHeld();
  private work: Promise<void> = Promise.resolve();
  private filesDirty = false;
  private filesWrittenMs = 0;
  private stopped = false;

  constructor(private readonly options: EdgeMapOptions) {}

  stop(): void {
    this.stopped = true;
  }

  /** Until it is stopped; whatever fails is said and tried again from the beginning. */
  async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.follow();
      } catch (error) {
        this.options.say({ level: 'warn', message: (error as Error).message });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private async follow(): Promise<void> {
    const response = await this.open();
    const process = await this.options.runtime.process();
    let snapshot: Held | undefined;
    let isWhole = false;
    let changes: FeedEntry[] = [];
    const flush = () => {
      const batch = changes;
      changes = [];
      if (batch.length > 0) this.after(() => this.change(batch));
    };
    try {
      for await (const text of createInterface({ input: response })) {
        if (this.stopped) return;
        const line = FeedLine.parse(JSON.parse(text));
        if (!('type' in line)) {
          if (snapshot) apply(snapshot, line);
          // What comes in one piece is one batch.
          if ((!snapshot || isWhole) && changes.push(line) === 1) setImmediate(flush);
        } else if (line.type === 'begin') {
          // What came before the list is older than it, and must not be applied after it.
          flush();
          snapshot = nothingHeld();
          isWhole = false;
        } else if (line.type === 'end') isWhole = snapshot !== undefined;
        else if (line.type === 'beat') {
          // A gateway that began a moment ago may know nothing yet: no list is one before its writer's heartbeat proved it there.
          if (snapshot && isWhole && line.ageMs !== null) {
            const whole = snapshot;
            snapshot = undefined;
            flush();
            this.after(() => this.replace(whole));
          }
          await this.beat(process);
        }
      }
      throw new Error('gateway ended the feed');
    } finally {
      response.destroy();
    }
  }

  private open(): Promise<NodeJS.ReadableStream & { destroy(): void }> {
    const { gateway, certificateFile, keyFile, trustFile } = this.options;
    const [cert, key, ca] = [certificateFile, keyFile, trustFile].map((file) => readFileSync(file));
    return new Promise((resolve, reject) => {
      const request = https.get(`${gateway}/v1/edge/denylist`, { cert, key, ca, agent: false }, (response) => {
        if (response.statusCode === 200) resolve(response);
        else reject(new Error(`gateway answers ${response.statusCode}`));
        if (response.statusCode !== 200) response.destroy();
      });
      request.setTimeout(SILENCE_MS, () => request.destroy(new Error('gateway is silent')));
      request.on('error', reject);
    });
  }

  private after(work: () => Promise<void>): void {
    this.work = this.work.then(work);
    this.work.catch(() => undefined);
  }

  private async replace(held: Held): Promise<void> {
    await this.options.runtime.replace(held);
    this.held = held;
    this.writeFiles();
    const counts = Object.fromEntries(EDGE_KINDS.map((kind) => [kind, held[kind].size]));
    this.options.say({ level: 'info', message: 'the maps are the denylist', ...counts });
  }

  private async change(entries: readonly FeedEntry[]): Promise<void> {
    await this.options.runtime.runAll(changeCommands(this.options.folder, this.held, entries));
    this.filesDirty = true;
  }

  /** Waits for the work under way: what failed there ends this connection, and the next one begins anew. */
  private async beat(process: string): Promise<void> {
    const { work } = this;
    this.work = Promise.resolve();
    await work;
    if ((await this.options.runtime.process()) !== process) throw new Error('another HAProxy answers');
    if (this.filesDirty && performance.now() - this.filesWrittenMs > FILES_EVERY_MS) this.writeFiles();
  }

  private writeFiles(): void {
    for (const kind of EDGE_KINDS) {
      const file = mapFile(this.options.folder, kind);
      writeFileSync(`${file}.new`, [...this.held[kind]].map((value) => `${value} 1\n`).join(''), { mode: 0o644 });
      renameSync(`${file}.new`, file);
    }
    this.filesDirty = false;
    this.filesWrittenMs = performance.now();
  }
}

function apply(held: Held, { kind, value, gone }: FeedEntry): void {
  if (gone) held[kind].delete(value);
  else held[kind].add(value);
}
