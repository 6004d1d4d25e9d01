import https from 'node:https';
import type { Party, TestFleet } from '@outrider/testing';

export interface Answer {
  status: number;
  body: string;
  headers: NodeJS.Dict<string | string[]>;
}
export interface Ask {
  party?: Party;
  token?: string;
  headers?: Record<string, string>;
  listener?: 'vehicle' | 'operator';
  agent?: https.Agent;
}

/** One GET at a listener of the service under test. */
export function askAt(
  fleet: TestFleet,
  port: { readonly vehicle: number; readonly operator: number },
  path: string,
  { party, token, headers = {}, listener = 'vehicle', agent }: Ask = {},
): Promise<Answer> {
  const identity = party ? { cert: party.certificatePem, key: party.privateKeyPem } : {};
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    https
      .get(
        {
          host: '127.0.0.1',
          port: port[listener],
          path,
          ca: fleet.root.certificatePem,
          ...identity,
          headers: { ...headers, ...authorization },
          agent: agent ?? false,
        },
        (response) => {
          let body = '';
          response.on('data', (chunk) => (body += chunk));
          response.on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers }));
        },
      )
      .on('error', reject);
  });
}
