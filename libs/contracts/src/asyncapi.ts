/** Renders docs/asyncapi.json (AsyncAPI 3.0) from the list of contracts. */
import { z } from 'zod';
import { CONTRACTS } from './all.js';
import { type Contract, filterOf } from './contract.js';
import { SIEM_CONTRACTS, TEAM_CONTRACTS } from './platform-team.js';
import { EVENTS_STREAM } from './streams.js';

const ROUTING = {
  description: 'The routing token: a device id (telemetry, command, provisioning), or the name of an instance.',
};

/** The document, as a value. */
export function asyncApi(): object {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Outrider: messages over NATS',
      version: '1.0.0',
      description:
        `Every message between the services, and what platform teams and SIEMs may hear of them (tags \`platform-team\`, \`siem\`). Kept events go through the JetStream stream ${EVENTS_STREAM.name} ` +
        `(${EVENTS_STREAM.maxAgeSeconds / 86_400} days), at least once, with Nats-Msg-Id; a consumer keeps what it has seen by the members that identify a message. ` +
        'Made from libs/contracts; a test holds it to the list.',
    },
    defaultContentType: 'application/json',
    servers: {
      nats: { host: '127.0.0.1:14222', protocol: 'nats', description: 'The local default; TLS outside it.' },
    },
    channels: Object.fromEntries(CONTRACTS.map((contract) => [contract.subject, channelOf(contract)])),
    operations: Object.fromEntries(CONTRACTS.map((contract) => [contract.subject, operationOf(contract)])),
  };
}

function channelOf(contract: Contract): object {
  const routed = contract.kind === 'event' && contract.routed;
  const reply =
    contract.kind === 'request' ? { reply: message(`${contract.subject}: reply`, replySchema(contract)) } : {};
  return {
    address: routed ? `${contract.subject}.{routing}` : contract.subject,
    ...(routed ? { parameters: { routing: ROUTING } } : {}),
    messages: { payload: message(contract.subject, schemaOf(contract.payload)), ...reply },
  };
}

function operationOf(contract: Contract): object {
  const channel = { $ref: `#/channels/${contract.subject}` };
  const messages = [{ $ref: `#/channels/${contract.subject}/messages/payload` }];
  const tags = [contract.from, contract.to].flat().map((name) => ({ name }));
  if (contract.kind === 'request') {
    const reply = [{ $ref: `#/channels/${contract.subject}/messages/reply` }];
    const summary = `${contract.from.join(', ')} asks ${contract.to}; core NATS request and reply.`;
    return { action: 'receive', summary, channel, messages, tags: distinct(tags), reply: { messages: reply, channel } };
  }
  const kept = contract.ephemeral ? 'core NATS' : `kept by ${EVENTS_STREAM.name}, filter ${filterOf(contract)}`;
  const isIn = (list: readonly Contract[]) => list.some(({ subject }) => subject === contract.subject);
  const outside = [...(isIn(TEAM_CONTRACTS) ? ['platform-team'] : []), ...(isIn(SIEM_CONTRACTS) ? ['siem'] : [])];
  return {
    action: 'send',
    summary: `${contract.from.join(', ')} says it to ${contract.to.join(', ') || 'whoever is configured'}; ${kept}.`,
    channel,
    messages,
    tags: distinct([...tags, ...outside.map((name) => ({ name }))]),
  };
}

function message(name: string, payload: object): object {
  return { name, contentType: 'application/json', payload };
}

/** An answer is `{"ok": ...}`, or `{"error": ...}` with a code of docs/errors.md. */
function replySchema({ reply }: Extract<Contract, { kind: 'request' }>): object {
  const error = {
    type: 'object',
    properties: { code: { type: 'string' }, detail: { type: 'string' }, retryAfterSeconds: { type: 'number' } },
    required: ['code'],
  };
  return { oneOf: [only('ok', schemaOf(reply)), only('error', error)] };
}

function only(name: string, schema: object): object {
  return { type: 'object', properties: { [name]: schema }, required: [name] };
}

function schemaOf(type: z.ZodType): object {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { target: 'draft-7', io: 'input', unrepresentable: 'any' });
  return schema;
}

function distinct(tags: readonly { name: string }[]): { name: string }[] {
  return [...new Set(tags.map(({ name }) => name))].map((name) => ({ name }));
}
