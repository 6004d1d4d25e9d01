import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP connection to `url` that a test can take away from whoever goes through it, and from nobody else. */
export interface TestWire {
  /** To be used in the place of the real one. */
  readonly url: string;
  /** Ends every connection and lets none be made. */
  cut(): void;
  /** Keeps every connection open and carries nothing: what a firewall does that forgot them. */
  stall(): void;
  /** Carries again, what was stalled too. */
  mend(): void;
  close(): Promise<void>;
}

/** `change`: what becomes of what is sent to the real one. */
export async function startWire(url: string, change = (sent: Buffer): Buffer => sent): Promise<TestWire> {
  const target = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: 'whole' | 'cut' | 'stalled' = 'whole';
  const server = createServer((near) => {
    if (state === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(Number(target.port), target.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.on('data', (bytes: Buffer) => void to.write(from === near ? change(bytes) : bytes));
      if (state === 'stalled') from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ends = () => [...pairs].flat();
  return {
    url: `${target.protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      state = 'cut';
      for (const socket of ends()) socket.destroy();
    },
    stall: () => {
      state = 'stalled';
      for (const socket of ends()) socket.pause();
    },
    mend: () => {
      state = 'whole';
      for (const socket of ends()) socket.resume();
    },
    close: async () => {
      for (const socket of ends()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
