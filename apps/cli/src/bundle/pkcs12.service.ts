/** A certificate, its chain and its key as PKCS#12 (RFC 7292), for browsers and phones. Issues nothing. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import forge from 'node-forge';

const { asn1, pki } = forge;
const { Class, Type } = asn1;
type Asn1 = forge.asn1.Asn1;

/** Of PBKDF2 and of the MAC alike: whoever guesses takes the cheaper one. Below 65,536, which forge can write. */
const ITERATIONS = 20_000;
const SALT_BYTES = 16;
const MAC_KEY_BYTES = 32;

export interface Pkcs12Content {
  readonly privateKey: KeyObject;
  /** DER, the leaf first. */
  readonly certificates: readonly Uint8Array[];
  /** What a device's list of certificates shows. */
  readonly friendlyName: string;
  readonly password: string;
}

/**
 * Key and certificates encrypted by PBES2 (AES-256-CBC, PBKDF2 with HMAC-SHA-256), the whole under a SHA-256 MAC: what openssl 3
 * writes by default. Assembled here, since forge's own `toPkcs12Asn1` takes RSA keys only and nothing above SHA-1.
 * @returns DER
 */
export function pkcs12(content: Pkcs12Content): Uint8Array {
  const { certificates, friendlyName, password, privateKey } = content;
  const leaf = certificates[0];
  if (!leaf) throw new Error('a bundle without a certificate');
  const attributes = bagAttributes(friendlyName, createHash('sha1').update(leaf).digest());
  const certBags = certificates.map((der, i) => certificateBag(der, i === 0 ? [attributes] : []));
  const key = asn1.fromDer(binary(privateKey.export({ type: 'pkcs8', format: 'der' })));
  const keyBag = sequence(oid(pki.oids.pkcs8ShroudedKeyBag), tagged(encrypt(key, password)), attributes);
  const safe = der(sequence(encryptedData(sequence(...certBags), password), data(der(sequence(keyBag)))));
  const pfx = sequence(integer(3), data(safe), mac(safe, password));
  return Uint8Array.from(Buffer.from(der(pfx), 'latin1'));
}

function certificateBag(certificate: Uint8Array, attributes: readonly Asn1[]): Asn1 {
  const bag = sequence(oid(pki.oids.x509Certificate), tagged(octets(binary(certificate))));
  return sequence(oid(pki.oids.certBag), tagged(bag), ...attributes);
}

/** friendlyName and localKeyId (RFC 7292 §4.2): the latter ties the key to its certificate. */
function bagAttributes(friendlyName: string, keyId: Buffer): Asn1 {
  return set(
    sequence(oid(pki.oids.localKeyId), set(octets(binary(keyId)))),
    sequence(oid(pki.oids.friendlyName), set(asn1.create(Class.UNIVERSAL, Type.BMPSTRING, false, friendlyName))),
  );
}

/** Its types say RSA key in, Buffer out; it takes any ASN.1, and gives ASN.1. */
const encryptPrivateKeyInfo = pki.encryptPrivateKeyInfo as unknown as (
  content: Asn1,
  password: string,
  options: { algorithm: 'aes256'; count: number; saltSize: number; prfAlgorithm: 'sha256' },
) => Asn1;

/** EncryptedPrivateKeyInfo of any content: `SEQUENCE { algorithm, OCTET STRING }`. PBES2 takes the password as UTF-8. */
function encrypt(content: Asn1, password: string): Asn1 {
  const options = { algorithm: 'aes256', count: ITERATIONS, saltSize: SALT_BYTES, prfAlgorithm: 'sha256' } as const;
  return encryptPrivateKeyInfo(content, forge.util.encodeUtf8(password), options);
}

/** PKCS#7 EncryptedData (RFC 2315 §13). */
function encryptedData(content: Asn1, password: string): Asn1 {
  const [algorithm, encrypted] = encrypt(content, password).value as [Asn1, Asn1];
  const bytes = asn1.create(Class.CONTEXT_SPECIFIC, 0, false, encrypted.value as string);
  const body = sequence(integer(0), sequence(oid(pki.oids.data), algorithm, bytes));
  return sequence(oid(pki.oids.encryptedData), tagged(body));
}

function data(bytes: string): Asn1 {
  return sequence(oid(pki.oids.data), tagged(octets(bytes)));
}

/** MacData (RFC 7292 §4, appendix B): the password there is a BMPString, which forge makes of it. */
function mac(safe: string, password: string): Asn1 {
  const salt = binary(randomBytes(SALT_BYTES));
  const sha256 = forge.md.sha256.create();
  const keyOf = forge.pkcs12.generateKey as (
    ...parts: [string, forge.util.ByteBuffer, number, number, number, forge.md.MessageDigest]
  ) => forge.util.ByteBuffer;
  const key = keyOf(password, forge.util.createBuffer(salt), 3, ITERATIONS, MAC_KEY_BYTES, sha256);
  const hmac = forge.hmac.create();
  hmac.start('sha256', key);
  hmac.update(safe);
  const algorithm = sequence(oid(pki.oids.sha256 as string), asn1.create(Class.UNIVERSAL, Type.NULL, false, ''));
  return sequence(sequence(algorithm, octets(hmac.getMac().getBytes())), octets(salt), integer(ITERATIONS));
}

function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
}

function set(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, parts);
}

/** `[0] EXPLICIT`. */
function tagged(content: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, 0, true, [content]);
}

function oid(dotted: string | undefined): Asn1 {
  if (!dotted) throw new Error('forge does not know this object identifier');
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

function octets(bytes: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes);
}

function integer(value: number): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, asn1.integerToDer(value).getBytes());
}

function der(content: Asn1): string {
  return asn1.toDer(content).getBytes();
}

/** forge keeps bytes in strings. */
function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
