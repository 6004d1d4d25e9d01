"""Signed commands and outcomes as another implementation makes them: Python with Debian's cbor2 and cryptography, none of our code.

    /usr/bin/python3 vectors/command.py        writes the files of vectors/command, one a case

Keys are new with each run and ECDSA is random: a run changes bytes, never meaning. What a case means is in docs/protocols/command.md.
"""
import base64, datetime, hashlib, json, pathlib
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

FOLDER = pathlib.Path(__file__).parent / "command"
NOW = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
SECONDS = int(NOW.timestamp())
DAY = datetime.timedelta(days=1)
EKU = "2.25.53974179959208339844188332975469496033"
CLIENT = "1.3.6.1.5.5.7.3.2"
DOMAIN = "fleet.example.com"
AAD = b"outrider/command/v1"
ID = "11111111-2222-4333-8444-555555555555"
NONCE = "A" * 43


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def oid(text):
    """DER of an OBJECT IDENTIFIER: the library has no arcs of 128 bits."""
    first, second, *rest = map(int, text.split("."))
    content = b""
    for arc in [first * 40 + second, *rest]:
        part = [arc & 127]
        while arc := arc >> 7:
            part.append(128 | (arc & 127))
        content += bytes(reversed(part))
    return bytes([6, len(content)]) + content


def extended_key_usage(names):
    content = b"".join(map(oid, names))
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), bytes([0x30, len(content)]) + content)


class Party:
    def __init__(self, name, issuer=None, ca=None, days=1, eku=None, uris=(), key=None, curve=None):
        self.key = key or ec.generate_private_key(curve or ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        above = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number() >> 32)
            .not_valid_before(NOW - DAY / 2)
            .not_valid_after(NOW - DAY / 2 + DAY * days)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(x509.BasicConstraints(ca is not None, ca if ca is not None and ca >= 0 else None), True)
            .add_extension(usage(ca is not None), True)
        )
        if issuer:
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
        if eku:
            builder = builder.add_extension(extended_key_usage(eku), False)
        if uris:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris]), False)
        self.certificate = builder.sign(above.key, hashes.SHA384() if key_size(above.key) == 48 else hashes.SHA256())

    def raw(self, data):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        size = key_size(self.key)
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256() if size == 32 else hashes.SHA384())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    @property
    def alg(self):
        return "EdDSA" if isinstance(self.key, ed25519.Ed25519PrivateKey) else {32: "ES256", 48: "ES384"}[key_size(self.key)]


def key_size(key):
    return 32 if isinstance(key, ed25519.Ed25519PrivateKey) else (key.curve.key_size + 7) // 8


def usage(ca):
    off = dict.fromkeys(["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **off)


ROOT = Party("Vector Fleet Root", ca=2, days=3650, curve=ec.SECP384R1())
CONTROL = Party("Vector Control CA", ROOT, ca=0, days=3650)
SIGNER = Party("command", CONTROL, eku=[EKU], uris=[f"spiffe://{DOMAIN}/service/command"])
STRANGER_ROOT = Party("Vector Fleet Root", ca=2, days=3650, curve=ec.SECP384R1())
STRANGER_CONTROL = Party("Vector Control CA", STRANGER_ROOT, ca=0, days=3650)
STRANGER = Party("command", STRANGER_CONTROL, eku=[EKU], uris=[f"spiffe://{DOMAIN}/service/command"])
OTHER_SERVICE = Party("telemetry", CONTROL, eku=[EKU], uris=[f"spiffe://{DOMAIN}/service/telemetry"])
TWO_NAMES = Party("command", CONTROL, eku=[EKU], uris=[f"spiffe://{DOMAIN}/service/command", f"spiffe://{DOMAIN}/service/x"])
TWO_USES = Party("command", CONTROL, eku=[EKU, CLIENT], uris=[f"spiffe://{DOMAIN}/service/command"])
CLIENT_USE = Party("command", CONTROL, eku=[CLIENT], uris=[f"spiffe://{DOMAIN}/service/command"])

PAYLOAD = {"command_id": ID, "device_id": "device-12345", "epoch": 1, "counter": 8, "iat": SECONDS - 1, "exp": SECONDS + 30,
           "name": "honk", "parameters": {"times": 2}}
CONTEXT = {"now": SECONDS, "device_id": "device-12345", "trust_domain": DOMAIN, "offered_id": ID,
           "last": {"epoch": 1, "counter": 7}, "critical": ["unlock", "immobilise"]}


def payload(**changes):
    return {name: value for name, value in {**PAYLOAD, **changes}.items() if value is not None}


def jws(content=None, signer=SIGNER, chain=None, key=None, **header):
    chain = [signer, CONTROL] if chain is None else chain
    head = {"typ": "outrider-command+jws", "x5c": [base64.b64encode(der(p.certificate)).decode() for p in chain], "alg": "ES256", **header}
    head = {name: value for name, value in head.items() if value is not None}
    signed = f"{b64u(json.dumps(head).encode())}.{b64u(json.dumps(content or PAYLOAD, separators=(',', ':')).encode())}"
    return f"{signed}.{b64u((key or signer).raw(signed.encode()))}"


def cose(content=None, signer=SIGNER, chain=None, aad=AAD, alg=-7, tag=True, canonical=True, unprotected=None, extra=None):
    chain = [signer, CONTROL] if chain is None else chain
    protected = {1: alg, 33: [der(p.certificate) for p in chain], **(extra or {})}
    head = cbor2.dumps(protected, canonical=True)
    body = cbor2.dumps(content or PAYLOAD, canonical=canonical)
    signed = cbor2.dumps(["Signature1", head, aad, body])
    message = [head, unprotected or {}, body, signer.raw(signed)]
    return b64u(cbor2.dumps(cbor2.CBORTag(18, message) if tag else message, canonical=True))


def case(name, description, expected, message, **context):
    known = {**CONTEXT, **context}
    if known.get("nonce"):
        known.setdefault("nonce_made_at", known["now"] - 1)
    known = {member: value for member, value in known.items() if value is not None}
    write(name, {"description": description, "fleet_root": base64.b64encode(der(ROOT.certificate)).decode(), "vehicle": known,
                 **message, "expected": expected})


def write(name, content):
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def as_jws(*a, **k):
    return {"jws": jws(*a, **k)}


def as_cose(*a, **k):
    return {"cose": cose(*a, **k)}


GOOD = as_jws()
case("good", "signed by the command signer, for this vehicle, in time, with the next counter", "carry_out", GOOD)
case("good-first-of-all", "a vehicle that never took a command takes any epoch and counter", "carry_out", GOOD, last=None)
case("good-counters-left-out", "counters may be left out", "carry_out", as_jws(payload(counter=100)))
case("good-critical", "a critical command with the nonce that this vehicle made for it", "carry_out",
     as_jws(payload(name="unlock", parameters={}, nonce=NONCE)), nonce=NONCE)
case("good-higher-epoch", "a higher epoch with a nonce begins to count anew", "carry_out", as_jws(payload(epoch=2, counter=1, nonce=NONCE)), nonce=NONCE)
UNLOCK = payload(name="unlock", parameters={}, nonce=NONCE)
case("good-clock-an-hour-behind", "a command with the vehicle's own nonce lives for exp - iat from the making of that nonce, whatever the clock says",
     "carry_out", as_jws(UNLOCK), nonce=NONCE, now=SECONDS - 3600, nonce_made_at=SECONDS - 3630)
case("good-clock-an-hour-ahead", "a command with the vehicle's own nonce lives for exp - iat from the making of that nonce, whatever the clock says",
     "carry_out", as_jws(UNLOCK), nonce=NONCE, now=SECONDS + 3600, nonce_made_at=SECONDS + 3570)
case("expired-since-the-nonce", "the vehicle's clock is an hour behind: exp - iat seconds have passed since the nonce all the same", "refuse expired",
     as_jws(UNLOCK), nonce=NONCE, now=SECONDS - 3600, nonce_made_at=SECONDS - 3631)
case("expired-since-the-nonce-ahead", "an hour ahead, and exp - iat seconds have passed since the nonce", "refuse expired",
     as_jws(UNLOCK), nonce=NONCE, now=SECONDS + 3600, nonce_made_at=SECONDS + 3569)
case("expired-clock-went-back", "the clock went back since the nonce was made and has measured nothing: exp counts", "refuse expired",
     as_jws(payload(name="unlock", parameters={}, nonce=NONCE, exp=SECONDS)), nonce=NONCE, nonce_made_at=SECONDS + 3600)
case("expired-clock-ahead-without-nonce", "without a nonce expiry is by the vehicle's clock", "refuse expired", GOOD, now=SECONDS + 3600)
case("again", "the same bytes under a known id: the stored outcome goes out again, whatever time it is", "again", GOOD, stored=GOOD["jws"],
     now=SECONDS + 3600, last={"epoch": 1, "counter": 8})
case("altered", "other bytes under a known id", "refuse altered", as_jws(payload(counter=9)), stored=GOOD["jws"])
case("wrong-device", "another vehicle's command", "refuse wrong_device", as_jws(payload(device_id="device-99999")))
case("wrong-id", "offered under another id", "refuse wrong_id", GOOD, offered_id="99999999-2222-4333-8444-555555555555")
case("expired", "at its expiry, to the second", "refuse expired", as_jws(payload(exp=SECONDS)))
case("counter-again", "the last counter again, under another id", "refuse counter", as_jws(payload(counter=7)))
case("counter-earlier-epoch", "an earlier epoch, whatever its counter", "refuse counter", as_jws(payload(epoch=0, counter=1000)))
case("epoch-without-nonce", "a higher epoch without a nonce", "refuse epoch", as_jws(payload(epoch=2, counter=1)))
case("nonce-missing", "a critical command without a nonce", "refuse nonce", as_jws(payload(name="unlock", parameters={})))
case("nonce-of-another", "a nonce that this vehicle did not make", "refuse nonce", as_jws(payload(nonce="B" * 43)), nonce=NONCE)
case("nonce-unasked", "a nonce where the vehicle made none", "refuse nonce", as_jws(payload(nonce=NONCE)))
case("nonce-left-out", "no nonce where the vehicle made one", "refuse nonce", as_jws(), nonce=NONCE)
case("member-unknown", "a member that the vehicle does not know might limit what is meant", "refuse malformed", as_jws(payload(only_if="parked")))
case("member-missing", "no counter", "refuse malformed", as_jws(payload(counter=None)))
case("counter-too-large", "a counter of 2^53", "refuse malformed", as_jws(payload(counter=2**53)))
case("signer-of-another-fleet", "a chain to another root of the same name", "refuse signer_chain", as_jws(signer=STRANGER, chain=[STRANGER, STRANGER_CONTROL]))
case("signer-without-authority", "the leaf alone", "refuse signer_chain", as_jws(chain=[SIGNER]))
case("signer-with-root", "the root in the chain", "refuse signer_chain", as_jws(chain=[SIGNER, CONTROL, ROOT]))
case("signer-other-service", "another service's name", "refuse signer_name", as_jws(signer=OTHER_SERVICE))
case("signer-two-names", "a second name beside the right one", "refuse signer_name", as_jws(signer=TWO_NAMES))
case("signer-two-uses", "a second extended key usage", "refuse signer_usage", as_jws(signer=TWO_USES))
case("signer-other-use", "another extended key usage", "refuse signer_usage", as_jws(signer=CLIENT_USE))
case("signed-by-another-key", "the right certificate, another key", "refuse signature", as_jws(key=CONTROL))
case("typ-of-an-outcome", "an outcome's typ", "refuse signature", as_jws(typ="outrider-outcome+jws"))
case("header-crit", "a header that nobody listed", "refuse signature", as_jws(crit=["exp"]))
case("alg-none", "alg none", "refuse signature", as_jws(alg="none"))
case("no-jws", "no compact JWS", "refuse malformed", {"jws": "one.two"})

GOOD_COSE = as_cose()
case("cose-good", "COSE_Sign1, tagged", "carry_out", GOOD_COSE)
case("cose-good-untagged", "COSE_Sign1 without its tag", "carry_out", as_cose(tag=False))
case("cose-good-critical", "a critical command with the nonce of this vehicle", "carry_out",
     as_cose(payload(name="unlock", parameters={}, nonce=NONCE)), nonce=NONCE)
case("cose-again", "the same bytes under a known id", "again", GOOD_COSE, stored=GOOD_COSE["cose"])
case("cose-wrong-device", "another vehicle's command", "refuse wrong_device", as_cose(payload(device_id="device-99999")))
case("cose-other-aad", "signed over another context", "refuse signature", as_cose(aad=b"outrider/telemetry/v1"))
case("cose-no-aad", "signed over no context", "refuse signature", as_cose(aad=b""))
case("cose-other-alg", "an algorithm that is not the key's", "refuse signature", as_cose(alg=-35))
case("cose-crit", "a protected header that nobody listed", "refuse signature", as_cose(extra={2: [1], 99: 1}))
case("cose-unprotected", "an unprotected header", "refuse signature", as_cose(unprotected={4: b"kid"}))
case("cose-not-deterministic", "a payload whose keys are out of order", "refuse malformed", as_cose(canonical=False))
case("cose-signer-of-another-fleet", "a chain to another root", "refuse signer_chain", as_cose(signer=STRANGER, chain=[STRANGER, STRANGER_CONTROL]))
case("cose-no-cbor", "no CBOR", "refuse malformed", {"cose": b64u(b"\xd2\x84")})

VEHICLES = {"p256": Party("device-12345"), "ed25519": Party("device-12345", ROOT, key=ed25519.Ed25519PrivateKey.generate())}
STRANGE_VEHICLE = Party("device-12345")


def outcome(name, description, expected, vehicle, content, signed_by=None, command=GOOD, **header):
    thumbprint = b64u(hashlib.sha256(der(vehicle.certificate)).digest())
    head = {"alg": vehicle.alg, "typ": "outrider-outcome+jws", "kid": thumbprint, **header}
    signed = f"{b64u(json.dumps(head).encode())}.{b64u(json.dumps(content).encode())}"
    write(f"outcome-{name}", {
        "description": description, "certificate": base64.b64encode(der(vehicle.certificate)).decode(),
        "command": {"id": ID, "device_id": "device-12345", **command},
        "outcome": f"{signed}.{b64u((signed_by or vehicle).raw(signed.encode()))}", "expected": expected})


def said(command=GOOD, **changes):
    bytes_ = command["jws"].encode() if "jws" in command else base64.urlsafe_b64decode(command["cose"] + "==")
    said = {"command_id": ID, "device_id": "device-12345", "request_hash": b64u(hashlib.sha256(bytes_).digest()),
            "result": "succeeded", "detail": "honked", "time": SECONDS + 1, **changes}
    return {name: value for name, value in said.items() if value is not None}


P256 = VEHICLES["p256"]
for kind, party in VEHICLES.items():
    outcome(f"good-{kind}", f"signed by the vehicle's {kind} key over the released bytes", "succeeded", party, said())
outcome("good-cose", "over the bytes of a COSE command", "succeeded", P256, said(GOOD_COSE), command=GOOD_COSE)
outcome("good-uncertain", "the vehicle cannot know", "unknown", P256, said(result="uncertain", data={"phase": "begun"}))
outcome("good-refused-by-counter", "a vehicle that remembers more than the platform says up to where", "refused", P256,
        said(result="refused", detail="counter: 1/8 after 1/41", data={"last": {"epoch": 1, "counter": 41}}))
outcome("of-another-vehicle", "signed by another vehicle's key", "refuse", P256, said(), signed_by=STRANGE_VEHICLE)
outcome("for-another-device", "another device's id", "refuse", P256, said(device_id="device-99999"))
outcome("for-another-command", "another command's id", "refuse", P256, said(command_id="99999999-2222-4333-8444-555555555555"))
outcome("over-other-bytes", "the hash of other bytes", "refuse", P256, said(request_hash=b64u(bytes(32))))
outcome("never-released", "a command that was never released", "refuse", P256, said(), command={})
outcome("typ-of-a-command", "a command's typ", "refuse", P256, said(), typ="outrider-command+jws")
outcome("header-unknown", "a header that nobody listed", "refuse", P256, said(), jwk={})
outcome("result-unknown", "a result that there is not", "refuse", P256, said(result="maybe"))
