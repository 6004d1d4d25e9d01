/** `fetch` over TLS with a client certificate, for clients that let theirs be replaced. */
import type { Party, TestFleet } from '@outrider/testing';
import { Agent, fetch as undiciFetch } from 'undici';

export interface MtlsFetch {
  readonly fetch: (url: string, init?: object) => Promise<Response>;
  close(): Promise<void>;
}

/** Believes the fleet's root alone; shows the party's certificate, or none. */
export function mtlsFetch(fleet: TestFleet, party?: Party): MtlsFetch {
  const identity = party ? { cert: party.certificatePem, key: party.privateKeyPem } : {};
  const dispatcher = new Agent({ connect: { ca: fleet.root.certificatePem, ...identity } });
  return {
    fetch: (url, init = {}) => undiciFetch(url, { ...init, dispatcher }) as unknown as Promise<Response>,
    close: () => dispatcher.close(),
  };
}
