import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/** A way to a TLS listener that counts what goes over it: bytes of TLS records, without TCP's and IP's own. */
export class CountingWire {
  in = 0;
  out = 0;

  private constructor(
    private readonly server: Server,
    readonly origin: string,
  ) {}

  static async to(url: string): Promise<CountingWire> {
    const { protocol, hostname, port } = new URL(url);
    let wire: CountingWire | undefined;
    const server = createServer((near) => {
      const far = connect(Number(port), hostname);
      near.on('data', (bytes) => {
        if (wire) wire.in += bytes.length;
      });
      far.on('data', (bytes) => {
        if (wire) wire.out += bytes.length;
      });
      for (const end of [near, far]) end.on('error', () => undefined);
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    wire = new CountingWire(server, `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`);
    return wire;
  }

  /** What `work` sent and was sent. */
  async during(work: () => Promise<void>): Promise<{ in: number; out: number }> {
    const [sent, got] = [this.in, this.out];
    await work();
    return { in: this.in - sent, out: this.out - got };
  }

  close(): void {
    this.server.close();
  }
}
