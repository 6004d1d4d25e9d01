/** Keys whose private half anyone knows, or for which anyone can sign: no certificate is made for one. */

/** x of the public points of the private keys 1 to 8, and of the example key of RFC 6979 A.2.5: either sign of y. */
const P256_X: readonly string[] = [
  '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
  '7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978',
  '5ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c',
  'e2534a3532d08fbba02dde659ee62bd0031fe2db785596ef509302446b030852',
  '51590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed',
  'b01a172a76a4602c92d3242cb897dde3024c740debb215b4c6b0aae93c2291a9',
  '8e533b6fa0bf7b4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a3',
  '62d9779dbee9b0534042742d3ab54cadc1d238980fce97dbb4dd9dc1db6fb393',
  '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
];

/** The same for P-384; RFC 6979 A.2.6. */
const P384_X: readonly string[] = [
  'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
  '08d999057ba3d2d969260045c55b97f089025959a6f434d651d207d19fb96e9e4fe0e86ebe0e64f85b96a9c75295df61',
  '077a41d4606ffa1464793c7e5fdc7d98cb9d3910202dcd06bea4f240d3566da6b408bbae5026580d02d7e5c70500c831',
  '138251cd52ac9298c1c8aad977321deb97e709bd0b4ca0aca55dc8ad51dcfc9d1589a1597e3a5120e1efd631c63e1835',
  '11de24a2c251c777573cac5ea025e467f208e51dbff98fc54f6661cbe56583b037882f4a1ca297e60abcdbc3836d84bc',
  '627be1acd064d2b2226fe0d26f2d15d3c33ebcbb7f0f5da51cbd41f26257383021317d7202ff30e50937f0854e35c5df',
  '283c1d7365ce4788f29f8ebf234edffead6fe997fbea5ffa2d58cc9dfa7b1c508b05526f55b9ebb2040f05b48fb6d0e1',
  '1692778ea596e0be75114297a6fa383445bf227fbe58190a900c3c73256f11fb5a3258d6f403d5ece6e9b269d822c87d',
  'ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13',
];

/** Points of small order in every encoding (a signature of zeros verifies under some of them), and the keys of RFC 8032 §7.1. */
const ED25519: readonly string[] = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
];

const WEAK: ReadonlySet<string> = new Set([...P256_X, ...P384_X, ...ED25519]);

/** @param spkiDer of P-256, P-384 (uncompressed point) or Ed25519; any other key is not judged here. */
export function isWeakKey(spkiDer: Uint8Array): boolean {
  const bytes = Buffer.from(spkiDer.buffer, spkiDer.byteOffset, spkiDer.byteLength);
  switch (bytes.length) {
    case 91: // 26 bytes before the point, 04, x, y
      return WEAK.has(bytes.toString('hex', 27, 59));
    case 120:
      return WEAK.has(bytes.toString('hex', 24, 72));
    case 44:
      return WEAK.has(bytes.toString('hex', 12));
    default:
      return false;
  }
}
