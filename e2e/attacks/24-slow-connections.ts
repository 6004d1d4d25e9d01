import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { at } from '../harness/endpoints.js';
import { sleep } from '../harness/until.js';
import { head, Wire } from '../harness/wire.js';
import { attack, type Trial } from './attack.js';
import { bystander, victim } from './cast.js';
import { said } from './said.js';

const IN_HANDSHAKE = 200;
const IN_HEAD = 150;
const IN_BODY = 150;
/** The handshake and the head of a request have 10 s, a whole request 30 (docs/protocols/telemetry.md); looked after every 2 s. */
const CUT_WITHIN_MS = 36_000;
/** Half of what it takes to be rid of a slow one: who had to wait for that would show, on a busy machine too. */
const OTHERS_WITHIN_MS = 5000;

/** Sends its text a byte a second, until it is cut. */
function trickle(socket: Socket, text: string): NodeJS.Timeout {
  let sent = 0;
  return setInterval(() => {
    if (socket.destroyed) return;
    socket.write(text[sent % text.length]!);
    sent += 1;
  }, 1000);
}

/** Plain connections that begin a TLS handshake and never end it. */
async function halfOpen(): Promise<Socket[]> {
  const { hostname, port } = new URL(at('telemetry', 'vehicle'));
  return Promise.all(
    Array.from({ length: IN_HANDSHAKE }, async () => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    }),
  );
}

/** Connections of a vehicle that were greeted, a few handshakes at a time. */
async function opened(count: number, car: Awaited<ReturnType<typeof victim>>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(25, count - sockets.length);
    const wires = await Promise.all(Array.from({ length: some }, () => Wire.open('telemetry', car.files())));
    sockets.push(...wires.map(({ socket }) => socket));
  }
  return sockets;
}

async function others(trial: Trial, until: number): Promise<void> {
  const other = await bystander();
  let slowest = 0;
  while (performance.now() < until) {
    const begun = performance.now();
    const seen = said(await other.send(other.message()));
    slowest = Math.max(slowest, performance.now() - begun);
    if (seen !== '200 accepted') trial.must('another vehicle meanwhile', false, seen);
    await sleep(500);
  }
  trial.must(
    'others wait for none of them',
    slowest < OTHERS_WITHIN_MS,
    `${slowest} ms`,
    `others at most ${Math.round(slowest)} ms`,
  );
}

export const slowConnections = attack(
  24,
  `opens ${IN_HANDSHAKE + IN_HEAD + IN_BODY} connections and sends one byte a second`,
  'cut by timeouts; others unaffected',
  async (trial) => {
    const car = await victim();
    const greeting = await halfOpen();
    const authorization = `Bearer ${await car.token()}`;
    const asking = await opened(IN_HEAD, car);
    const telling = await opened(IN_BODY, car);
    const sockets = [...greeting, ...asking, ...telling];
    const begun = performance.now();
    const question = head('GET', '/v1/telemetry/window', { authorization });
    const announced = { authorization, 'content-type': 'application/json', 'content-length': '100000' };
    for (const socket of telling) socket.write(head('POST', '/v1/telemetry', announced));
    const timers = [
      // A record header of TLS that announces more than it sends.
      ...greeting.map((socket) => trickle(socket, '\x16\x03\x01\x20\x00\x01\x00\x1f\xfc\x03\x03')),
      ...asking.map((socket) => trickle(socket, question.slice(0, -2))),
      ...telling.map((socket) => trickle(socket, '[')),
    ];
    for (const socket of greeting) socket.resume();
    try {
      const cut = (async () => {
        while (performance.now() - begun < CUT_WITHIN_MS && sockets.some((one) => !one.destroyed)) await sleep(50);
        return performance.now() - begun;
      })();
      await others(trial, begun + 5000);
      const ms = await cut;
      const open = (list: readonly Socket[]) => list.filter((one) => !one.destroyed).length;
      const left = `${open(greeting)} in the handshake, ${open(asking)} in the head, ${open(telling)} in the body`;
      trial.must(
        'all are cut',
        open(sockets) === 0,
        `still open: ${left}`,
        `all cut after ${(ms / 1000).toFixed(1)} s`,
      );
      await others(trial, performance.now() + 200);
    } finally {
      for (const timer of timers) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    }
  },
);
