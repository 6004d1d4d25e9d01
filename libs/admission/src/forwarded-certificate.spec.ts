import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { type ForwardedHeaders, forwardedCertificate } from './forwarded-certificate.js';

const DER = Buffer.from('a certificate, as far as this is concerned.');
const ITEM = `:${DER.toString('base64')}:`;
const PEM = `-----BEGIN CERTIFICATE-----\n${DER.toString('base64')}\n-----END CERTIFICATE-----\n`;
const XFCC = `By=spiffe://x/y;Hash=00;Cert="${encodeURIComponent(PEM)}";Subject="CN=a,O=\\"b;c\\"";URI=spiffe://x/z`;
const none: ForwardedHeaders = { clientCert: undefined, clientCertChain: undefined, xfcc: undefined };

function read(headers: Partial<ForwardedHeaders>) {
  try {
    const found = forwardedCertificate({ ...none, ...headers });
    return found && [found.leaf, ...found.chain].map((der) => Buffer.from(der).toString());
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

describe('the certificate that a proxy forwards', () => {
  it.each<[string, Partial<ForwardedHeaders>, string[] | undefined]>([
    ['nothing', {}, undefined],
    ['RFC 9440', { clientCert: ITEM }, [DER.toString()]],
    ['with spaces around', { clientCert: ` ${ITEM} ` }, [DER.toString()]],
    ['with its chain', { clientCert: ITEM, clientCertChain: `${ITEM}, ${ITEM}` }, Array(3).fill(DER.toString())],
    ['Envoy', { xfcc: XFCC }, [DER.toString()]],
    ['Envoy without quotes', { xfcc: `Cert=${encodeURIComponent(PEM)}` }, [DER.toString()]],
  ])('%s', (_name, headers, expected) => {
    expect(read(headers)).toEqual(expected);
  });

  it.each<[string, Partial<ForwardedHeaders>]>([
    ['two elements', { clientCert: `${ITEM}, ${ITEM}` }],
    ['a parameter', { clientCert: `${ITEM};a=1` }],
    ['an empty one', { clientCert: '' }],
    ['an empty sequence', { clientCert: '::' }],
    ['no colons', { clientCert: DER.toString('base64') }],
    ['unpadded base64', { clientCert: `:${DER.toString('base64').replace(/=+$/, '')}:` }],
    ['unused bits that are set', { clientCert: ':AB==:' }],
    ['base64url', { clientCert: ':__-_:' }],
    ['PEM', { clientCert: PEM.replaceAll('\n', '') }],
    ['9000 bytes', { clientCert: `:${'AAAA'.repeat(3000)}:` }],
    ['a chain alone', { clientCertChain: ITEM }],
    ['a chain of five', { clientCert: ITEM, clientCertChain: Array(5).fill(ITEM).join(', ') }],
    ['a chain with something else in it', { clientCert: ITEM, clientCertChain: `${ITEM}, x` }],
    ['both ways', { clientCert: ITEM, xfcc: XFCC }],
    ['two elements of Envoy', { xfcc: `${XFCC},${XFCC}` }],
    ['no Cert of Envoy', { xfcc: 'Hash=00;Subject="CN=Cert=x"' }],
    ['two Certs of Envoy', { xfcc: `${XFCC};cert="x"` }],
    ['two certificates in PEM', { xfcc: `Cert="${encodeURIComponent(PEM + PEM)}"` }],
    ['a broken percent sign', { xfcc: 'Cert="%zz"' }],
    ['an open quote', { xfcc: 'Cert="abc' }],
  ])('refuses %s', (_name, headers) => {
    expect(read(headers)).toBe('auth.forwarded_certificate_invalid');
  });

  it('refuses or reads any text, and never throws anything else', () => {
    const text = fc.option(fc.string({ unit: 'binary', maxLength: 80 }), { nil: undefined });
    fc.assert(fc.property(fc.record({ clientCert: text, clientCertChain: text, xfcc: text }), (h) => void read(h)));
  });
});
