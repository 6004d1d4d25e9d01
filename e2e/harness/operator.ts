/** The operator APIs, with the token that the suite keeps fresh. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { at, endpoints, type Service } from './endpoints.js';

export interface OperatorAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for each test to say
  readonly body: any;
  readonly ms: number;
}

export interface OperatorRequest {
  readonly body?: object;
  readonly headers?: Record<string, string>;
  /** In place of the suite's own; empty: none. */
  readonly token?: string;
  readonly timeoutMs?: number;
}

const agent = new Agent({ connect: { ca: readFileSync(endpoints.trust.server) }, keepAliveTimeout: 1000 });

export function operatorToken(): string {
  return readFileSync(endpoints.operator.tokenFile, 'utf8').trim();
}

/** Of the second operator: somebody else. */
export function approverToken(): string {
  const file = endpoints.operators['local-approver']?.tokenFile;
  if (!file) throw new Error('endpoints.json names no local-approver');
  return readFileSync(file, 'utf8').trim();
}

export async function operator(
  service: Service,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  { body, headers = {}, token = operatorToken(), timeoutMs = 15_000 }: OperatorRequest = {},
): Promise<OperatorAnswer> {
  const begun = performance.now();
  const answer = await request(`${at(service, 'operator')}${path}`, {
    dispatcher: agent,
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: body ? JSON.stringify(body) : null,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text), ms: performance.now() - begun };
}

/** A plain HTTP face: readiness, metrics, CRLs. */
export async function plain(service: Service, path: string): Promise<{ status: number; bytes: Buffer }> {
  const answer = await request(`${at(service, 'http')}${path}`, { signal: AbortSignal.timeout(5000) });
  return { status: answer.statusCode, bytes: Buffer.from(await answer.body.arrayBuffer()) };
}

/** It and everything it needs are there. */
export async function isReady(service: Service): Promise<boolean> {
  const { status, bytes } = await plain(service, '/readyz');
  return status === 200 && (JSON.parse(bytes.toString()) as { status: string }).status === 'ready';
}
