/** Signs as a vehicle maker would in a few lines of Python with PyNaCl. */
import { PYTHON } from './installed.js';
import { must } from './run.js';

const PROGRAM = `
import json, sys, time
from nacl.signing import SigningKey
signing_key = SigningKey(bytes.fromhex(sys.argv[1]))
payload = {"device_id": sys.argv[2], "seq": int(sys.argv[3]), "ts": int(time.time()),
           "telemetry": dict({"lat": 37.42, "lon": -122.08, "speed": 42.3}, **json.loads(sys.argv[4]))}
message = json.dumps(payload, separators=(',', ':'), sort_keys=True).encode()
signature = signing_key.sign(message).signature.hex()
print(json.dumps({"payload": payload, "signature": signature}))
`;

/** The body of a request, as Python prints it. \`more\`: further telemetry. */
export async function signedByPython(key: string, deviceId: string, seq: number, more: object = {}): Promise<string> {
  // RFC 8410: the last 32 bytes of the DER are the seed.
  const { bytes } = await must('openssl', ['pkey', '-in', key, '-outform', 'DER']);
  const seed = bytes.subarray(-32).toString('hex');
  const args = ['-c', PROGRAM, seed, deviceId, String(seq), JSON.stringify(more)];
  return (await must(PYTHON ?? 'python3', args)).stdout.trim();
}
