/** Where our verdict on an x509-limbo case differs from the expected one, and why that is meant. */
const NAME_CONSTRAINTS = 'name constraints are refused rather than applied';
const HOST_NAMES = 'host names are matched by the TLS stack, not by path validation';
const WEB_PKI = 'a rule of the web PKI alone (CA/Browser Forum), for anchors that the caller chose';

export const limboExceptions: Readonly<Record<string, string>> = {
  'rfc5280::nc::permitted-dns-match': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-dns-match-more': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-ipv4-match': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-ipv6-match': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-dn-match': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-self-issued': NAME_CONSTRAINTS,
  'rfc5280::nc::permitted-different-constraint-type': NAME_CONSTRAINTS,
  'rfc5280::nc::excluded-different-constraint-type': NAME_CONSTRAINTS,
  'webpki::nc::permitted-dns-match-noncritical': NAME_CONSTRAINTS,
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
