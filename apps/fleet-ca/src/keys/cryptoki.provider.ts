import { createRequire } from 'node:module';
import { DomainError } from '@outrider/errors';

/** What we use of `pkcs11js`, which is native and optional: nothing here is loaded unless a token is configured. */
export interface Cryptoki {
  load(module: string): void;
  C_Initialize(options?: { flags: number }): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Buffer[];
  C_GetTokenInfo(slot: Buffer): { label: string };
  C_OpenSession(slot: Buffer, flags: number): Buffer;
  C_CloseSession(session: Buffer): void;
  C_Login(session: Buffer, userType: number, pin: string): void;
  C_FindObjectsInit(session: Buffer, template: Template): void;
  C_FindObjects(session: Buffer, maxObjectCount: number): Buffer[];
  C_FindObjectsFinal(session: Buffer): void;
  C_GetAttributeValue(session: Buffer, object: Buffer, template: Template): { type: number; value: Buffer }[];
  C_SignInit(session: Buffer, mechanism: { mechanism: number }, key: Buffer): void;
  C_SignAsync(session: Buffer, data: Buffer, out: Buffer): Promise<Buffer>;
  C_GenerateKeyPair(
    session: Buffer,
    mechanism: { mechanism: number },
    publicTemplate: Template,
    privateTemplate: Template,
  ): { publicKey: Buffer; privateKey: Buffer };
  C_DestroyObject(session: Buffer, object: Buffer): void;
}
export type Template = readonly { readonly type: number; readonly value?: number | boolean | string | Buffer }[];

/** PKCS#11 v2.40: the numbers that we need. */
export const CK = {
  osLockingOk: 0x2,
  rwSerialSession: 0x6,
  user: 1,
  class: 0x0,
  token: 0x1,
  private: 0x2,
  label: 0x3,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  sign: 0x108,
  verify: 0x10a,
  value: 0x11,
  extractable: 0x162,
  local: 0x163,
  neverExtractable: 0x164,
  alwaysSensitive: 0x165,
  modifiable: 0x170,
  ecParams: 0x180,
  ecPoint: 0x181,
  publicKeyObject: 2,
  privateKeyObject: 3,
  ec: 3,
  ecKeyPairGen: 0x1040,
  ecdsa: 0x1041,
} as const;

/** Return values, by what can be done about them. */
export const CKR = {
  alreadyInitialized: 0x191,
  alreadyLoggedIn: 0x100,
  pinRefused: [0xa0, 0xa1, 0xa2, 0xa3, 0xa4],
} as const;

const INSTALL = 'see docs/runbooks/hsm.md';

/**
 * The driver of one PKCS#11 module, initialized for use by several threads.
 * @throws DomainError `ca.key_unavailable` where the optional package is not built, or the module cannot be loaded.
 */
export function loadCryptoki(module: string): Cryptoki {
  let driver: Cryptoki;
  try {
    const { PKCS11 } = createRequire(import.meta.url)('pkcs11js') as { PKCS11: new () => Cryptoki };
    driver = new PKCS11();
  } catch (cause) {
    throw new DomainError('ca.key_unavailable', { cause, detail: `the package pkcs11js is not built: ${INSTALL}` });
  }
  try {
    driver.load(module);
    driver.C_Initialize({ flags: CK.osLockingOk });
  } catch (cause) {
    if (codeOf(cause) === CKR.alreadyInitialized) return driver;
    throw new DomainError('ca.key_unavailable', { cause, detail: `${module} cannot be loaded: ${String(cause)}` });
  }
  return driver;
}

/** CKR_... of an error by the driver. */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'number' ? code : undefined;
}
