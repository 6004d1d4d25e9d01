/** PEM to DER and back (RFC 7468). */
import { malformed } from './der-read.js';

/** What a certificate or a request may weigh at most. */
export const MAX_OBJECT_BYTES = 16 * 1024;

/** DER as it is; text as PEM of `label`, or as bare base64 (EST, RFC 8951 §3). */
export function derOf(input: Uint8Array | string, label: string, maxBytes: number = MAX_OBJECT_BYTES): Uint8Array {
  if (input.length > maxBytes * 2) throw malformed(`more than ${maxBytes} bytes`);
  const der =
    typeof input !== 'string' && input[0] === 0x30 ? Uint8Array.from(input) : decodeText(textOf(input), label);
  if (der.length > maxBytes) throw malformed(`more than ${maxBytes} bytes`);
  return der;
}

function textOf(input: Uint8Array | string): string {
  return typeof input === 'string' ? input : Buffer.from(input).toString('latin1');
}

function decodeText(text: string, label: string): Uint8Array {
  if (!text.includes('-----BEGIN')) return decodeBase64(text);
  const [body, ...more] = pemBodies(text, label);
  if (body === undefined) throw malformed(`no PEM block ${label}`);
  if (more.length > 0) throw malformed(`more than one PEM block ${label}`);
  return decodeBase64(body);
}

/** The DER of every block of `label` in a PEM file, in order; explanatory text between blocks is skipped. */
export function pemBlocks(text: string, label: string): Uint8Array[] {
  return pemBodies(text, label).map(decodeBase64);
}

function pemBodies(text: string, label: string): string[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const bodies: string[] = [];
  for (let from = text.indexOf(begin); from >= 0; from = text.indexOf(begin, from)) {
    const to = text.indexOf(end, from);
    if (to < 0) throw malformed(`PEM block ${label} without its end`);
    bodies.push(text.slice(from + begin.length, to));
    from = to + end.length;
  }
  return bodies;
}

function decodeBase64(body: string): Uint8Array {
  const compact = body.replace(/[ \t\r\n]/g, '');
  if (compact.length === 0 || compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) {
    throw malformed('not base64');
  }
  return Uint8Array.from(Buffer.from(compact, 'base64'));
}

export function toPem(der: Uint8Array, label: string): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
