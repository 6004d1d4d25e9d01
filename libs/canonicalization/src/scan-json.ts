/** One bounded pass over untrusted bytes before anything parses them: strict RFC 8259, and nothing that two parsers could read differently. */
import { isUtf8 } from 'node:buffer';
import { DomainError } from '@outrider/errors';
import { MAX_DEPTH } from './canonicalize.js';
import { asBuffer, decodeString, JsonNode } from './json-node.js';
import { MINUS, malformed, NINE, QUOTE, scanNumber, scanString, ZERO } from './scan-scalars.js';
import { KIND, TokenTable } from './token-table.js';

/**
 * `maxBytes`: of the whole text. `maxDepth`: containers inside containers, at most 512. `maxStringBytes`: between the quotes, as sent;
 * default no limit but maxBytes. `maxNumberLength`: characters of a number, default 64. `maxMembers`: members of one object or elements of
 * one array; default no limit but maxBytes.
 */
export interface ScanLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxStringBytes?: number;
  readonly maxNumberLength?: number;
  readonly maxMembers?: number;
}

/** `root`: the whole value; every node gives its exact bytes with no second parse. `bytes`: the text scanned, not copied. */
export interface ScannedJson {
  readonly bytes: Uint8Array;
  readonly root: JsonNode;
}

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** What the grammar allows next. */
type Expect = 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'commaOrEnd' | 'nothing';

/**
 * Scans the bytes once, iteratively, and gives a tree of tokens. What passes, JSON.parse reads to the same value.
 * @throws DomainError `request.too_large` over maxBytes; `request.malformed` (with the byte offset) for bad UTF-8, anything outside RFC 8259,
 * a byte order mark, duplicate names (compared unescaped), lone surrogates, integers beyond ±(2^53-1), numbers that overflow, and any other limit.
 */
export function scanJson(bytes: Uint8Array, limits: ScanLimits): ScannedJson {
  if (limits.maxDepth > MAX_DEPTH) throw new RangeError(`scanJson: maxDepth is at most ${MAX_DEPTH}`);
  if (bytes.length > limits.maxBytes) {
    throw new DomainError('request.too_large', { detail: `more than ${limits.maxBytes} bytes of JSON` });
  }
  if (!isUtf8(bytes)) throw new DomainError('request.malformed', { detail: 'the text is not valid UTF-8' });
  const tokens = new Scanner(bytes, limits).run();
  return { bytes, root: new JsonNode(bytes, tokens, 0) };
}

/** A container that is open: its row, how many members it has had, and for objects the names seen. */
interface Open {
  readonly row: number;
  members: number;
  readonly names: Set<string> | undefined;
}

class Scanner {
  private readonly tokens = new TokenTable();
  private readonly open: Open[] = [];
  private readonly maxStringBytes: number;
  private readonly maxNumberLength: number;
  private readonly maxMembers: number;
  private readonly text: Buffer;
  private at = 0;
  private expect: Expect = 'value';

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: ScanLimits,
  ) {
    this.maxStringBytes = limits.maxStringBytes ?? limits.maxBytes;
    this.maxNumberLength = limits.maxNumberLength ?? 64;
    this.maxMembers = limits.maxMembers ?? limits.maxBytes;
    this.text = asBuffer(bytes);
  }

  run(): TokenTable {
    for (;;) {
      const byte = this.skipWhiteSpace();
      if (byte === undefined) break;
      this.step(byte);
    }
    if (this.expect !== 'nothing') throw malformed('the text ends early', this.at);
    return this.tokens;
  }

  private skipWhiteSpace(): number | undefined {
    for (; this.at < this.bytes.length; this.at++) {
      const byte = this.bytes[this.at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
    }
    return undefined;
  }

  private step(byte: number): void {
    switch (this.expect) {
      case 'nothing':
        throw malformed('something follows the value', this.at);
      case 'commaOrEnd':
        if (byte === COMMA) this.comma();
        else this.close(byte);
        return;
      case 'key':
      case 'keyOrEnd':
        if (byte === QUOTE) this.key();
        else if (this.expect === 'keyOrEnd') this.close(byte);
        else throw malformed('a member name is expected', this.at);
        return;
      default:
        if (byte === CLOSE_ARRAY && this.expect === 'valueOrEnd') this.close(byte);
        else this.value(byte);
    }
  }

  private comma(): void {
    this.at++;
    this.expect = this.open.at(-1)!.names ? 'key' : 'value';
  }

  private key(): void {
    const object = this.open.at(-1)!;
    this.countMember(object);
    const start = this.at;
    const row = this.string();
    const name = decodeString(this.text, start, this.at, this.tokens.kind(row) === KIND.escapedString);
    if (object.names!.has(name)) throw malformed('a member name comes twice', start);
    object.names!.add(name);
    if (this.skipWhiteSpace() !== COLON) throw malformed('a colon is expected', this.at);
    this.at++;
    this.expect = 'value';
  }

  private value(byte: number): void {
    const container = this.open.at(-1);
    if (container && !container.names) this.countMember(container);
    this.expect = container ? 'commaOrEnd' : 'nothing';
    if (byte === OPEN_OBJECT) this.enter(KIND.object);
    else if (byte === OPEN_ARRAY) this.enter(KIND.array);
    else if (byte === QUOTE) this.string();
    else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) this.number();
    else this.literal(byte);
  }

  private enter(kind: number): void {
    if (this.open.length >= this.limits.maxDepth)
      throw malformed(`nested deeper than ${this.limits.maxDepth}`, this.at);
    const isObject = kind === KIND.object;
    this.open.push({ row: this.tokens.add(kind, this.at, 0), members: 0, names: isObject ? new Set() : undefined });
    this.at++;
    this.expect = isObject ? 'keyOrEnd' : 'valueOrEnd';
  }

  private close(byte: number): void {
    const container = this.open.at(-1)!;
    if (byte !== (container.names ? CLOSE_OBJECT : CLOSE_ARRAY))
      throw malformed('a comma or the end is expected', this.at);
    this.at++;
    this.tokens.close(container.row, this.at);
    this.open.pop();
    this.expect = this.open.length > 0 ? 'commaOrEnd' : 'nothing';
  }

  private countMember(container: Open): void {
    container.members++;
    if (container.members > this.maxMembers)
      throw malformed(`more than ${this.maxMembers} members or elements`, this.at);
  }

  private string(): number {
    const start = this.at;
    const scanned = scanString(this.bytes, start);
    const end = Math.abs(scanned);
    if (end - start - 2 > this.maxStringBytes)
      throw malformed(`a string of more than ${this.maxStringBytes} bytes`, start);
    this.at = end;
    return this.tokens.add(scanned < 0 ? KIND.escapedString : KIND.string, start, end);
  }

  private number(): void {
    const start = this.at;
    this.at = scanNumber(this.text, start, this.maxNumberLength);
    this.tokens.add(KIND.number, start, this.at);
  }

  private literal(byte: number): void {
    const word = byte === 0x74 ? 'true' : byte === 0x66 ? 'false' : 'null';
    const end = this.at + word.length;
    if (this.text.toString('latin1', this.at, end) !== word) throw malformed('a value is expected', this.at);
    this.tokens.add(KIND[word], this.at, end);
    this.at = end;
  }
}
