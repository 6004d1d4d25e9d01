/** Where our verdict on an x509-limbo case differs from the expected one, and why that is meant. */
const HOST_NAMES = 'host names are matched by the TLS stack, not by path validation';
const WEB_PKI = 'a rule of the web PKI alone (CA/Browser Forum), for anchors that the caller chose';

export const limboExceptions: Readonly<Record<string, string>> = {
  'webpki::nc::permitted-dns-match-noncritical':
    'RFC 5280 wants name constraints critical, the web PKI lets them be otherwise',
  'webpki::san::mismatch-domain-san': HOST_NAMES,
  'webpki::san::mismatch-subdomain-san': HOST_NAMES,
  'webpki::san::mismatch-subdomain-apex-san': HOST_NAMES,
  'webpki::san::mismatch-apex-subdomain-san': HOST_NAMES,
  'webpki::san::public-suffix-wildcard-san': HOST_NAMES,
  'webpki::san::wildcard-embedded-leftmost-san': HOST_NAMES,
  'webpki::san::wildcard-not-in-leftmost-san': HOST_NAMES,
  'webpki::san::wildcard-match-across-labels-san': HOST_NAMES,
  'webpki::san::wildcard-embedded-ulabel-san': HOST_NAMES,
  'webpki::san::no-san': HOST_NAMES,
  'webpki::aki::root-with-aki-missing-keyidentifier': WEB_PKI,
  'webpki::aki::root-with-aki-authoritycertissuer': WEB_PKI,
  'webpki::aki::root-with-aki-authoritycertserialnumber': WEB_PKI,
  'webpki::aki::root-with-aki-all-fields': WEB_PKI,
  'webpki::aki::root-with-aki-ski-mismatch': WEB_PKI,
  'webpki::eku::ee-anyeku': WEB_PKI,
  'webpki::eku::ee-critical-eku': WEB_PKI,
  'webpki::eku::ee-without-eku': WEB_PKI,
  'webpki::eku::root-has-eku': WEB_PKI,
  'webpki::san::san-critical-with-nonempty-subject': WEB_PKI,
  'pathlen::validation-ignores-pathlen-in-leaf': 'a CA certificate is never accepted as a leaf here',
  'pathlen::max-chain-depth-1-self-issued': 'the depth bound counts every intermediate, self-issued ones too',
  'rfc5280::aki::cross-signed-root-missing-aki': 'an anchor is trusted because the caller says so, whoever signed it',
};
