/** Distinguished names: read with their exact DER (what chains are compared by), printed as RFC 4514, written from attributes. */
import { type DerNode, malformed, TAG } from './der-read.js';
import { asciiOf, expectTag, hex, latin1, oidOf, sequenceOf } from './der-values.js';
import { objectIdentifier, printableString, sequence, setOf, utf8String } from './der-write.js';
import { OID } from './oids.js';

export interface NameAttribute {
  /** Dotted object identifier. */
  readonly type: string;
  readonly value: string;
}

export interface DistinguishedName {
  /** RFC 4514: last RDN first. For people and logs; compare `der`. */
  readonly text: string;
  readonly der: Uint8Array;
  /** In the order of the encoding, RDNs flattened. */
  readonly attributes: readonly NameAttribute[];
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  [OID.commonName]: 'CN',
  [OID.localityName]: 'L',
  [OID.stateOrProvinceName]: 'ST',
  [OID.organizationName]: 'O',
  [OID.organizationalUnitName]: 'OU',
  [OID.countryName]: 'C',
  [OID.streetAddress]: 'STREET',
  [OID.domainComponent]: 'DC',
  [OID.userId]: 'UID',
};
const MAX_ATTRIBUTES = 32;

export function readName(node: DerNode | undefined, what: string): DistinguishedName {
  const name = expectTag(node, TAG.sequence, what);
  const rdns = name.children.map((rdn) => readRdn(rdn, what));
  const attributes = rdns.flat();
  if (attributes.length > MAX_ATTRIBUTES) throw malformed(`${what} has too many attributes`);
  let text: string | undefined;
  return {
    // Seldom asked for: most names are compared, and never printed.
    get text() {
      text ??= rdns.map(rdnText).reverse().join(',');
      return text;
    },
    der: name.der,
    attributes: attributes.map(({ type, value }) => ({ type, value })),
  };
}

interface ReadAttribute extends NameAttribute {
  readonly valueDer: Uint8Array;
}

function readRdn(rdn: DerNode, what: string): ReadAttribute[] {
  const members = expectTag(rdn, TAG.set, `${what}: RDN`).children;
  if (members.length === 0) throw malformed(`${what}: an empty RDN`);
  return members.map((member) => {
    const [type, value, ...rest] = sequenceOf(member, `${what}: attribute`);
    if (value === undefined || rest.length > 0) throw malformed(`${what}: an attribute is not a type and a value`);
    return { type: oidOf(type, `${what}: attribute type`), value: directoryString(value, what), valueDer: value.der };
  });
}

/** The text of a DirectoryString or IA5String; of any other type the hex of its DER after `#`. */
export function directoryString(node: DerNode, what: string): string {
  const bytes = Buffer.from(node.content.buffer, node.content.byteOffset, node.content.byteLength);
  switch (node.tag) {
    case TAG.utf8String:
      return utf8Of(bytes, what);
    case TAG.printableString:
    case TAG.ia5String:
      return asciiOf(bytes, what);
    case TAG.teletexString:
      return latin1(bytes);
    case TAG.bmpString:
      if (bytes.length % 2 !== 0) throw malformed(`${what}: a BMPString of odd length`);
      return Buffer.from(bytes).swap16().toString('utf16le');
    default:
      return `#${hex(node.der)}`;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Of(bytes: Uint8Array, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw malformed(`${what} is not UTF-8`, cause);
  }
}

function rdnText(rdn: readonly ReadAttribute[]): string {
  return rdn
    .map(({ type, value, valueDer }) => {
      const short = SHORT_NAMES[type];
      // RFC 4514 §2.4: an attribute without a short name is written as the hex of its BER.
      return short === undefined ? `${type}=#${hex(valueDer)}` : `${short}=${escapeValue(value)}`;
    })
    .join('+');
}

function escapeValue(value: string): string {
  return value
    .replace(/[\\"+,;<>]/g, (char) => `\\${char}`)
    .replaceAll('\0', '\\00')
    .replace(/^[ #]/, (char) => `\\${char}`)
    .replace(/ $/, '\\ ');
}

/**
 * Each RDN in one spelling for comparison (RFC 5280 §7.1): case and inner white space folded, attributes of one RDN in order of type.
 * @throws DomainError `x509.malformed`
 */
export function normalizedRdns(node: DerNode | undefined, what: string): string[] {
  return expectTag(node, TAG.sequence, what).children.map((rdn) => {
    // Quoted: no text of one attribute may read as two attributes.
    const attributes = readRdn(rdn, what).map(({ type, value }) => JSON.stringify([type, normalizedValue(value)]));
    return attributes.sort().join('+');
  });
}

function normalizedValue(value: string): string {
  return value.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
}

/** The value of `type` when the name holds it exactly once; two common names name nobody. */
export function singleAttribute(name: DistinguishedName, type: string): string | undefined {
  const found = name.attributes.filter((attribute) => attribute.type === type);
  return found.length === 1 ? found[0]?.value : undefined;
}

/** DER of a name with one attribute an RDN, in the given order. */
export function encodeName(attributes: readonly NameAttribute[]): Uint8Array {
  return sequence(
    ...attributes.map(({ type, value }) => setOf([sequence(objectIdentifier(type), encodeValue(type, value))])),
  );
}

// RFC 5280 appendix A fixes PrintableString for these two; everything else is UTF8String.
function encodeValue(type: string, value: string): Uint8Array {
  if (type !== OID.serialNumber && type !== OID.countryName) return utf8String(value);
  if (!/^[A-Za-z0-9 '()+,\-./:=?]+$/.test(value)) throw malformed(`${type} takes a PrintableString`);
  return printableString(value);
}
