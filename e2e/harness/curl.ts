/** Requests by curl, which trusts the suite's servers and nothing else. */
import { endpoints } from './endpoints.js';
import { must, run } from './run.js';

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for each test to say
  readonly json: () => any;
}

/** What curl is told of the vehicle it speaks for. */
export interface ClientFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Rejects when there is no HTTP answer. */
export async function curl(url: string, args: readonly string[] = [], client?: ClientFiles): Promise<Answer> {
  const asVehicle = client ? ['--cert', client.certificate, '--key', client.key] : [];
  const { stdout } = await must('curl', ['-sS', '-i', '--cacert', endpoints.trust.server, ...asVehicle, ...args, url]);
  return read(stdout);
}

/** A line as it stands in a manual, run by a shell in which curl trusts the suite's servers. */
export async function curlLine(line: string, env: Record<string, string>): Promise<Answer> {
  const line1 = line.replace(/^curl /, 'curl -sS -i ');
  const finished = await run('sh', ['-c', line1], { env: { ...env, CURL_CA_BUNDLE: endpoints.trust.server } });
  if (finished.code !== 0) throw new Error(finished.stderr);
  return read(finished.stdout);
}

/** curl prints the head of an interim answer (100 Continue) too; the last one counts. */
function read(printed: string): Answer {
  let rest = printed;
  let head = '';
  while (rest.startsWith('HTTP/')) {
    const end = rest.indexOf('\r\n\r\n');
    head = rest.slice(0, end);
    rest = rest.slice(end + 4);
  }
  const [first = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => /^([^:]+):\s*(.*)$/.exec(line)).filter((found) => found !== null);
  return {
    status: Number(first.split(' ')[1]),
    headers: Object.fromEntries(headers.map(([, name = '', value = '']) => [name.toLowerCase(), value])),
    body: rest,
    json: () => JSON.parse(rest),
  };
}
