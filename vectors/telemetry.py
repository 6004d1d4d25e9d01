"""Telemetry as another implementation makes it: Python with Debian's cbor2 and cryptography, none of our code.

    python3 vectors/telemetry.py write                             the files of vectors/telemetry, one a case
    python3 vectors/telemetry.py send KEY.pem DEVICE THUMBPRINT    good bodies for a live service, as JSON on stdout

Keys are made from fixed seeds. ECDSA draws a random number for each signature, so its cases change bytes with each run, never meaning.
"""
import base64, hashlib, json, pathlib, struct, sys, time
import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

BATCH = "outrider/telemetry-batch/v1"
AAD = b"outrider/telemetry/v1"
BATCH_AAD = b"outrider/telemetry-batch/v1"
COSE = 'application/cose; cose-type="cose-sign1"'
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ORDER_ED25519 = 2**252 + 27742317777372353535851937790883648493


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    def __init__(self, key, thumbprint=None):
        self.key = key
        self.edwards = isinstance(key, ed25519.Ed25519PrivateKey)
        self.size = 32 if self.edwards else (key.curve.key_size + 7) // 8
        self.jose = "EdDSA" if self.edwards else {32: "ES256", 48: "ES384"}[self.size]
        self.cose = {"EdDSA": -8, "ES256": -7, "ES384": -35}[self.jose]
        self.spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        # Where there is no certificate, the name of the key stands for it.
        self.thumbprint = thumbprint or b64u(hashlib.sha256(self.spki).digest())

    def der(self, data):
        return self.key.sign(data, ec.ECDSA(hashes.SHA256() if self.size == 32 else hashes.SHA384()))

    def sign(self, data):
        """64 bytes, or r || s."""
        if self.edwards:
            return self.key.sign(data)
        r, s = decode_dss_signature(self.der(data))
        return r.to_bytes(self.size, "big") + s.to_bytes(self.size, "big")


def jcs(value):
    """RFC 8785, for the plain names and numbers used here."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + jcs(value[k]) for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def digest(payload):
    said = {k: v for k, v in payload.items() if (k, v) not in (("stream", "main"), ("epoch", 0))}
    return hashlib.sha256(jcs(said).encode()).hexdigest()


def python_json(payload):
    return json.dumps(payload, separators=(",", ":"), sort_keys=True)


def message(signer, payload, text=None, signature=None, **more):
    """text: what is sent and signed, default JCS."""
    text = jcs(payload) if text is None else text
    signature = signer.sign(text.encode()).hex() if signature is None else signature
    extra = "".join("," + json.dumps(k) + ":" + json.dumps(v) for k, v in more.items())
    return '{"payload":%s,"signature":"%s"%s}' % (text, signature, extra)


def cose(signer, payload, aad=AAD, protected=None, unprotected=None, tag=18, raw=None, signature=None):
    """raw: the payload's bytes, where they are not deterministic CBOR. protected: bytes or a map."""
    protected = {1: signer.cose} if protected is None else protected
    protected = protected if isinstance(protected, bytes) else cbor2.dumps(protected, canonical=True) if protected else b""
    body = cbor2.dumps(payload, canonical=True) if raw is None else raw
    signed = cbor2.dumps(["Signature1", protected, aad, body])
    parts = [protected, unprotected or {}, body, signer.sign(signed) if signature is None else signature(signed)]
    return cbor2.dumps(cbor2.CBORTag(tag, parts) if tag else parts)


def jws(signer, payload, header=None, text=None, **more):
    header = {"alg": signer.jose, "typ": "outrider-telemetry+jws"} if header is None else header
    text = json.dumps(payload) if text is None else text
    signed = b64u(json.dumps({**header, **more}).encode()) + "." + b64u(text.encode())
    return signed + "." + b64u(signer.sign(signed.encode()))


def flattened(compact, **header):
    protected, payload, signature = compact.split(".")
    return json.dumps({"payload": payload, "protected": protected, **({"header": header} if header else {}), "signature": signature})


def payload_of(device, number, at, **more):
    return {"device_id": device, "seq": number, "ts": at, "telemetry": {"lat": 37.42, "lon": -122.08, "speed": 42.3}, **more}


def batch_of(device, number, now, times, **more):
    records = [{"ts": at, "telemetry": {"speed": 40.5 + index}} for index, at in enumerate(times)]
    return {"typ": BATCH, "device_id": device, "seq": number, "ts": now, "records": records, **more}


def records_of(batch):
    common = {k: batch[k] for k in ("device_id", "stream", "epoch") if k in batch}
    return [{**common, "seq": batch["seq"] + i, **record} for i, record in enumerate(batch["records"])]


def good(payload):
    return {"seq": int(payload["seq"]), "code": None, "canonical_sha256": digest(payload)}


def bad(seq, code):
    return {"seq": seq, "code": code}


def good_bodies(s, device, seq, ts):
    """(name, content type, body, results): what a service takes, each with numbers of its own from `seq` on."""
    n = iter(range(seq, seq + 1000))
    p = lambda **more: payload_of(device, next(n), ts, **more)
    out = []
    add = lambda name, kind, body, *payloads: out.append((name, kind, body, [good(one) for one in payloads]))
    one = p(); add("json", "application/json", message(s, one), one)
    one = p(); add("json-base64url", "application/json", message(s, one, signature=b64u(s.sign(jcs(one).encode()))), one)
    one = p(); add("json-kid", "application/json", message(s, one, kid=s.thumbprint), one)
    one = p(stream="main", epoch=0); add("json-defaults-said", "application/json", message(s, one), one)
    one = p(stream="can"); add("json-stream", "application/json", message(s, one), one)
    one = p(telemetry={"name": "Königstraße", "whole": 42.0, "small": 1.5e-05})
    one["telemetry"]["small"] = 0.25
    add("json-as-python-prints-it", "application/json", message(s, one, python_json(one)), one)
    some = [p(), p(), p()]; add("json-array", "application/json", "[" + ",".join(message(s, x) for x in some) + "]", *some)
    some = [p(), p()]; add("json-lines", "application/x-ndjson", "".join(message(s, x) + "\n" for x in some), *some)
    one = p(); add("cose", COSE, cose(s, one), one)
    one = p(); add("cose-untagged", "application/cose", cose(s, one, tag=None), one)
    one = p(); add("cose-kid", COSE, cose(s, one, unprotected={4: base64.urlsafe_b64decode(s.thumbprint + "=")}), one)
    one = p(); add("cose-kid-text", COSE, cose(s, one, unprotected={4: s.thumbprint.encode()}), one)
    one = p(); add("cose-x5t", COSE, cose(s, one, protected={1: s.cose, 34: [-16, base64.urlsafe_b64decode(s.thumbprint + "=")]}), one)
    one = p(); add("cose-fully-specified-alg", COSE, cose(s, one, protected={1: {-8: -19, -7: -9, -35: -51}[s.cose]}), one)
    one = p(); add("cose-unknown-header", COSE, cose(s, one, protected={1: s.cose, "x": [1, {"a": None}]}, unprotected={99: b"y"}), one)
    one = p(); add("cose-known-critical-header", COSE, cose(s, one, protected={1: s.cose, 2: [3], 3: "application/cbor"}), one)
    one = p(ts=float(ts) + 0.5, telemetry={"whole": 42.0, "half": 1.5, "single": 3.4028234663852886e+38, "none": None, "list": [True, -7]})
    one["telemetry"]["single"] = 0.10000000149011612
    add("cose-floats", COSE, cose(s, one), one)
    some = [p(), p()]; add("cose-sequence", "application/cose-seq", b"".join(cose(s, x) for x in some), *some)
    some = [p()]; add("cbor-sequence-of-one", "application/cbor-seq", cose(s, some[0], tag=None), *some)
    one = p(); add("jws", "application/jose", jws(s, one), one)
    one = p(); add("jws-kid", "application/jose", jws(s, one, kid=s.thumbprint), one)
    one = p(); add("jws-flattened", "application/jose+json", flattened(jws(s, one)), one)
    one = p(); add("jws-flattened-kid", "application/jose+json", flattened(jws(s, one), kid=s.thumbprint), one)
    for name, make in (("json-batch", message), ("cose-batch", None)):
        batch = batch_of(device, next(n), ts, [ts, ts, ts + 0.5]); next(n); next(n)
        body = message(s, batch) if make else cose(s, batch, BATCH_AAD)
        add(name, "application/json" if make else COSE, body, *records_of(batch))
    batch = batch_of(device, next(n), float(ts), [float(ts), ts + 0.5], stream="main"); next(n)
    add("json-batch-as-python-prints-it", "application/json", message(s, batch, python_json(batch)), *records_of(batch))
    one, batch, last = p(), batch_of(device, next(n), ts, [ts, ts]), None
    next(n); last = p()
    add("json-lines-of-all-kinds", "application/x-ndjson", "\n".join([message(s, one), message(s, batch), flattened(jws(s, last))]), one, *records_of(batch), last)
    return out


def bad_bodies(s, other, device, ts):
    """(name, content type, body, results or the code that refuses the whole)."""
    p = lambda **more: payload_of(device, 7, ts, **more)
    J, C = "application/json", COSE
    one = p()
    text = jcs(one)
    plain = cbor2.dumps(one, canonical=True)
    signed = s.sign(text.encode())
    beyond = signed[:32] + (int.from_bytes(signed[32:], "little") + ORDER_ED25519).to_bytes(32, "little")
    refused = lambda code: [bad(7, "telemetry." + code)]
    unread = [bad(None, "request.malformed")]
    seq = lambda said: message(s, None, text.replace('"seq":7', '"seq":' + said))
    nested = "[" * 33 + "]" * 33
    three = lambda code: [bad(10 + i, "telemetry." + code) for i in range(3)]
    batch = lambda **more: batch_of(device, 10, ts, [ts] * 3, **more)
    cases = [
        ("json-bad-signature", J, message(other, one), refused("bad_signature")),
        ("json-signature-of-another-length", J, message(s, one, signature="00" * 63), refused("bad_signature")),
        ("json-signature-in-padded-base64", J, message(s, one, signature=base64.b64encode(signed).decode()), refused("bad_signature")),
        ("json-ed25519-s-not-reduced", J, message(s, one, signature=beyond.hex()), refused("bad_signature")),
        ("json-ed25519-r-of-small-order", J, message(s, one, signature="01" + "00" * 63), refused("bad_signature")),
        ("json-changed", J, message(s, one).replace("42.3", "42.4"), refused("bad_signature")),
        ("json-another-device", J, message(s, payload_of("device-2", 7, ts)), refused("wrong_device")),
        ("json-old", J, message(s, p(ts=ts - 121)), refused("skewed")),
        ("json-early", J, message(s, p(ts=ts + 121)), refused("skewed")),
        ("json-milliseconds", J, message(s, p(ts=ts * 1000)), refused("invalid")),
        ("json-unknown-member", J, message(s, p(vin="X")), refused("invalid")),
        ("json-unknown-envelope-member", J, message(s, one, alg="none"), refused("invalid")),
        ("json-telemetry-a-list", J, message(s, p(telemetry=[1])), refused("invalid")),
        ("json-stream-of-capitals", J, message(s, p(stream="Main")), refused("invalid")),
        ("json-epoch-negative", J, message(s, p(epoch=-1)), refused("invalid")),
        ("json-kid-no-thumbprint", J, message(s, one, kid="11"), refused("invalid")),
        ("json-kid-unknown", J, message(s, one, kid="A" * 43), refused("unknown_kid")),
        ("json-seq-0", J, seq("0"), [bad(0, "telemetry.invalid")]),
        ("json-seq-negative", J, seq("-1"), [bad(-1, "telemetry.invalid")]),
        ("json-seq-fraction", J, seq("1.5"), [bad(None, "telemetry.invalid")]),
        ("json-seq-text", J, seq('"7"'), [bad(None, "telemetry.invalid")]),
        ("json-seq-null", J, seq("null"), [bad(None, "telemetry.invalid")]),
        ("json-seq-2-to-the-53", J, seq("9007199254740992"), "request.malformed"),
        ("json-seq-2-to-the-64", J, seq("18446744073709551616"), "request.malformed"),
        ("json-seq-leading-nought", J, seq("07"), "request.malformed"),
        ("json-member-twice", J, seq('7,"seq":8'), "request.malformed"),
        ("json-member-twice-escaped", J, seq('7,"s\\u0065q":8'), "request.malformed"),
        ("json-lone-surrogate", J, message(s, None, text.replace("42.3", '"\\ud800"')), "request.malformed"),
        ("json-nan", J, message(s, None, text.replace("42.3", "NaN")), "request.malformed"),
        ("json-nested-deep", J, message(s, None, text.replace("42.3", nested)), "request.malformed"),
        ("json-something-after", J, message(s, one) + "{}", "request.malformed"),
        ("json-nothing", J, "", "request.malformed"),
        ("json-array-empty", J, "[]", "request.invalid"),
        ("json-array-one-bad", J, "[%s,{},%s]" % (message(s, one), message(other, one)), [good(one), bad(None, "telemetry.invalid"), bad(7, "telemetry.bad_signature")]),
        ("json-lines-one-no-json", "application/x-ndjson", message(s, one) + "\nhello\n", [good(one), bad(None, "request.malformed")]),
        ("json-typ-of-a-batch", J, message(s, p(typ=BATCH)), refused("invalid")),
        ("json-typ-of-a-log", J, message(s, p(typ="outrider/log-segment/v1")), refused("invalid")),
        ("json-as-another-type", "text/plain", message(s, one), "request.unsupported_media_type"),
        ("cose-bad-signature", C, cose(other, one, protected={1: s.cose}), refused("bad_signature")),
        ("cose-changed", C, cose(s, one).replace(b"speed", b"spead"), refused("bad_signature")),
        ("cose-another-device", C, cose(s, payload_of("device-2", 7, ts)), refused("wrong_device")),
        ("cose-old", C, cose(s, p(ts=ts - 121)), refused("skewed")),
        ("cose-context-missing", C, cose(s, one, aad=b""), refused("bad_signature")),
        ("cose-context-of-a-batch", C, cose(s, one, aad=BATCH_AAD), refused("bad_signature")),
        ("cose-alg-missing", C, cose(s, one, protected={}), refused("bad_signature")),
        ("cose-alg-not-protected", C, cose(s, one, protected={}, unprotected={1: s.cose}), refused("bad_signature")),
        ("cose-alg-of-another-key", C, cose(s, one, protected={1: -7}), refused("bad_signature")),
        ("cose-alg-hmac", C, cose(s, one, protected={1: 5}), refused("bad_signature")),
        ("cose-critical-unknown", C, cose(s, one, protected={1: s.cose, 2: ["x"], "x": 1}), refused("bad_signature")),
        ("cose-critical-not-protected", C, cose(s, one, unprotected={2: [1]}), refused("bad_signature")),
        ("cose-label-in-both-maps", C, cose(s, one, unprotected={1: s.cose}), unread),
        ("cose-label-twice", C, cose(s, one, protected=bytes.fromhex("a201270127")), unread),
        ("cose-kid-no-thumbprint", C, cose(s, one, unprotected={4: b"11"}), refused("invalid")),
        ("cose-kid-and-x5t-differ", C, cose(s, one, unprotected={4: b"\1" * 32, 34: [-16, b"\2" * 32]}), refused("invalid")),
        ("cose-kid-unknown", C, cose(s, one, unprotected={4: b"\1" * 32}), refused("unknown_kid")),
        ("cose-x5t-of-another-hash", C, cose(s, one, unprotected={34: [-43, b"\1" * 48]}), refused("invalid")),
        ("cose-tag-of-cose-sign", C, cose(s, one, tag=98), unread),
        ("cose-type-of-another-message", 'application/cose; cose-type="cose-mac0"', cose(s, one), "request.unsupported_media_type"),
        ("cose-detached-payload", C, cbor2.dumps(cbor2.CBORTag(18, [bytes.fromhex("a10127"), {}, None, b"\0" * 64])), unread),
        ("cose-something-after", C, cose(s, one) + b"\0", unread),
        ("cose-cut-short", C, cose(s, one)[:-1], unread),
        ("cose-array-of-indefinite-length", C, b"\xd2\x9f" + cose(s, one)[2:] + b"\xff", unread),
        ("cose-length-too-long", C, b"\xd2\x98\x04" + cose(s, one)[2:], unread),
        ("cose-payload-map-of-indefinite-length", C, cose(s, None, raw=b"\xbf" + plain[1:] + b"\xff"), unread),
        ("cose-payload-names-out-of-order", C, cose(s, None, raw=cbor2.dumps(dict(sorted(one.items(), reverse=True)))), unread),
        ("cose-payload-name-twice", C, cose(s, None, raw=b"\xa5\x63seq\x07" + plain[1:].replace(b"\x62ts", b"\x62ts", 1)), unread),
        ("cose-payload-number-too-long", C, cose(s, None, raw=plain.replace(b"\x63seq\x07", b"\x63seq\x18\x07")), unread),
        ("cose-payload-float-too-long", C, cose(s, None, raw=plain.replace(b"\x63seq\x07", b"\x63seq\xfb" + struct.pack(">d", 7.0))), unread),
        ("cose-payload-bignum", C, cose(s, None, raw=plain.replace(b"\x63seq\x07", b"\x63seq\xc2\x41\x07")), unread),
        ("cose-payload-seq-2-to-the-53", C, cose(s, p() | {"seq": 2**53}), unread),
        ("cose-payload-seq-2-to-the-64", C, cose(s, p() | {"seq": 2**64}), unread),
        ("cose-payload-seq-fraction", C, cose(s, p() | {"seq": 1.5}), [bad(None, "telemetry.invalid")]),
        ("cose-payload-seq-text", C, cose(s, p() | {"seq": "7"}), [bad(None, "telemetry.invalid")]),
        ("cose-payload-seq-0", C, cose(s, p() | {"seq": 0}), [bad(0, "telemetry.invalid")]),
        ("cose-payload-nan", C, cose(s, p(telemetry={"a": float("nan")})), unread),
        ("cose-payload-bytes", C, cose(s, p(telemetry={"a": b"x"})), unread),
        ("cose-payload-undefined", C, cose(s, p(telemetry={"a": cbor2.undefined})), unread),
        ("cose-payload-name-a-number", C, cose(s, p(telemetry={1: 1})), unread),
        ("cose-payload-tag", C, cose(s, p(telemetry={"a": cbor2.CBORTag(1, 0)})), unread),
        ("cose-payload-not-utf-8", C, cose(s, None, raw=plain.replace(b"speed", b"sp\xffed")), unread),
        ("cose-payload-nested-deep", C, cose(s, None, raw=plain.replace(b"\x63seq\x07", b"\x63seq" + b"\x81" * 40 + b"\0")), unread),
        ("cose-payload-of-4-gib", C, bytes.fromhex("d28443a10127a05affffffff"), unread),
        ("cose-payload-json", C, cose(s, None, raw=text.encode()), unread),
        ("cose-payload-a-list", C, cose(s, [1]), [bad(None, "telemetry.invalid")]),
        ("cose-sequence-one-no-message", "application/cose-seq", cose(s, one) + b"\xa0" + cose(other, one, protected={1: s.cose}), [good(one), bad(None, "request.malformed"), bad(7, "telemetry.bad_signature")]),
        ("cose-sequence-cut-short", "application/cose-seq", cose(s, one) + cose(s, one)[:-1], "request.malformed"),
        ("cose-sequence-empty", "application/cose-seq", b"", "request.invalid"),
        ("jws-bad-signature", "application/jose", jws(other, one, {"alg": s.jose, "typ": "outrider-telemetry+jws"}), refused("bad_signature")),
        ("jws-typ-missing", "application/jose", jws(s, one, {"alg": s.jose}), refused("bad_signature")),
        ("jws-typ-of-a-command-outcome", "application/jose", jws(s, one, {"alg": s.jose, "typ": "outrider-outcome+jws"}), refused("bad_signature")),
        ("jws-typ-in-capitals", "application/jose", jws(s, one, {"alg": s.jose, "typ": "OUTRIDER-TELEMETRY+JWS"}), refused("bad_signature")),
        ("jws-alg-none", "application/jose", jws(s, one, {"alg": "none", "typ": "outrider-telemetry+jws"}), refused("bad_signature")),
        ("jws-alg-none-unsigned", "application/jose", jws(s, one, {"alg": "none", "typ": "outrider-telemetry+jws"}).rsplit(".", 1)[0] + ".", refused("bad_signature")),
        ("jws-alg-of-another-key", "application/jose", jws(s, one, {"alg": "ES256", "typ": "outrider-telemetry+jws"}), refused("bad_signature")),
        ("jws-crit", "application/jose", jws(s, one, crit=["exp"], exp=1), refused("bad_signature")),
        ("jws-payload-not-encoded", "application/jose", jws(s, one, crit=["b64"], b64=False), refused("bad_signature")),
        ("jws-key-inside", "application/jose", jws(s, one, jwk={"kty": "OKP"}), refused("bad_signature")),
        ("jws-kid-no-thumbprint", "application/jose", jws(s, one, kid="key-1"), refused("invalid")),
        ("jws-padded", "application/jose", jws(s, one) + "=", unread),
        ("jws-two-parts", "application/jose", jws(s, one).rsplit(".", 1)[0], unread),
        ("jws-member-twice", "application/jose", jws(s, None, text=text.replace('"seq":7', '"seq":7,"seq":8')), unread),
        ("jws-of-a-batch", "application/jose", jws(s, batch()), [bad(10, "telemetry.invalid")]),
        ("jws-old", "application/jose", jws(s, p(ts=ts - 121)), refused("skewed")),
        ("jws-flattened-alg-not-protected", "application/jose+json", flattened(jws(s, one, {"typ": "outrider-telemetry+jws"}), alg=s.jose), unread),
        ("jws-general-form", "application/jose+json", json.dumps({"payload": "e30", "signatures": []}), [bad(None, "telemetry.invalid")]),
        ("json-batch-bad-signature", J, message(other, batch()), three("bad_signature")),
        ("json-batch-times-decrease", J, message(s, batch_of(device, 10, ts, [ts, ts + 2, ts + 1])), three("invalid")),
        ("json-batch-signed-long-ago", J, message(s, batch() | {"ts": ts - 121}), three("skewed")),
        ("json-batch-first-record-old", J, message(s, batch_of(device, 10, ts, [ts - 121, ts, ts])), [bad(10, "telemetry.skewed")] + [good(one) for one in records_of(batch_of(device, 10, ts, [ts - 121, ts, ts]))[1:]]),
        ("json-batch-record-with-a-number", J, message(s, batch(records=[{"ts": ts, "telemetry": {}, "seq": 10}] * 3)), three("invalid")),
        ("json-batch-no-records", J, message(s, batch(records=[])), [bad(10, "telemetry.invalid")]),
        ("json-batch-without-typ", J, message(s, {k: v for k, v in batch().items() if k != "typ"}), [bad(10, "telemetry.invalid")]),
        ("json-batch-another-device", J, message(s, batch_of("device-2", 10, ts, [ts] * 3)), three("wrong_device")),
        ("json-batch-1001-records", J, message(s, batch_of(device, 1, ts, [ts] * 1001)), "request.too_large"),
        ("cose-batch-context-of-a-message", C, cose(s, batch()), three("bad_signature")),
        ("cose-batch-times-decrease", C, cose(s, batch_of(device, 10, ts, [ts, ts + 2, ts + 1]), BATCH_AAD), three("invalid")),
    ]
    high = lambda data: (lambda r, t: encode_dss_signature(r, ORDER_P256 - t))(*decode_dss_signature(other.der(data))).hex()
    return cases, [("json-p256-der", J, message(other, one, signature=other.der(text.encode()).hex()), [good(one)]),
                   ("json-p256-s-above-half", J, message(other, one, signature=high(text.encode())), [good(one)]),
                   ("cose-p256-signature-in-der", C, cose(other, one, signature=other.der), refused("bad_signature"))]


def write():
    folder = pathlib.Path(__file__).parent / "telemetry"
    device, ts = "device-1", 1800000000
    edwards = Signer(ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"outrider vectors").digest()))
    p256 = Signer(ec.derive_private_key(int.from_bytes(hashlib.sha256(b"outrider p256").digest(), "big"), ec.SECP256R1()))
    p384 = Signer(ec.derive_private_key(int.from_bytes(hashlib.sha384(b"outrider p384").digest()[1:], "big"), ec.SECP384R1()))
    bad_cases, p256_cases = bad_bodies(edwards, p256, device, ts)
    cases = [(name, edwards, *rest) for name, *rest in good_bodies(edwards, device, 7, ts) + bad_cases]
    cases += [(name, p256, *rest) for name, *rest in p256_cases]
    for signer, curve in ((p256, "p256"), (p384, "p384")):
        wanted = ("json", "json-base64url", "cose", "jws", "json-batch", "cose-batch")
        cases += [(name + "-" + curve, signer, *rest) for name, *rest in good_bodies(signer, device, 7, ts) if name in wanted]
    for old in folder.glob("*.json"):
        old.unlink()
    for name, signer, kind, body, said in cases:
        sent = {"text": body} if isinstance(body, str) else {"hex": body.hex()}
        outcome = {"refused": said} if isinstance(said, str) else {"results": said}
        vector = {"device_id": device, "now": ts, "public_key": signer.spki.hex(), "thumbprint": signer.thumbprint,
                  "content_type": kind, "body": sent, **outcome}
        (folder / (name + ".json")).write_text(json.dumps(vector, indent=2, ensure_ascii=False) + "\n")
    print(len(cases), "files")


def send(pem, device, thumbprint):
    key = serialization.load_pem_private_key(pathlib.Path(pem).read_bytes(), None)
    bodies = good_bodies(Signer(key, thumbprint), device, 1, int(time.time()))
    encode = lambda body: base64.b64encode(body.encode() if isinstance(body, str) else body).decode()
    print(json.dumps([{"name": n, "type": t, "body": encode(b), "seqs": [r["seq"] for r in said]} for n, t, b, said in bodies]))


if __name__ == "__main__":
    write() if sys.argv[1] == "write" else send(*sys.argv[2:5])
