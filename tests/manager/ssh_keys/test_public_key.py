"""What is a public key, and what is told to those who send something else."""

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.ssh_keys.acting import ADA, DSA, GOOD, LISTED, OTTO, RSA_1024

from nexus.manager.ssh_keys.errors import PublicKeyRefused
from nexus.manager.ssh_keys.public_key import parse

TYPE, BLOB, COMMENT = ADA.split()
PEM = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAxdu2gEHoBgCT+DC+1HfHP5wEGvnWm+VwGqvHerWAZp0=\n-----END PUBLIC KEY-----"
)
SSH2 = f"---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\n{BLOB}\n---- END SSH2 PUBLIC KEY ----"
CERTIFICATE = f"ssh-ed25519-cert-v01@openssh.com {BLOB}"


def refusal(text: str) -> PublicKeyRefused:
    with pytest.raises(PublicKeyRefused) as refused:
        parse(text, field="public_key")
    assert refused.value.suggestion
    return refused.value


@pytest.mark.parametrize(("line", "listed"), list(zip(GOOD, LISTED, strict=True)), ids=LISTED)
def test_a_key_is_what_ssh_keygen_says_it_is(line: str, listed: str) -> None:
    key = parse(line, field="public_key")
    short = listed.rpartition("(")[2].rstrip(")").removesuffix("-SK").lower()
    assert f"{key.bits} {key.fingerprint} {key.comment}" == listed.rpartition(" ")[0]
    assert short in key.type
    assert key.type.startswith("sk-") == ("-SK)" in listed)
    assert key.line == line


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        (f"{TYPE} {BLOB}", ""),
        (f"{TYPE} {BLOB} ada on the train, 2026", "ada on the train, 2026"),
        (f"{TYPE} {BLOB} Ада Лавлейс ✨", "Ада Лавлейс ✨"),
        (f"  {TYPE}\t{BLOB}   {COMMENT}  \r\n\n", COMMENT),
        (f"# of the laptop\n\n{ADA}\n", COMMENT),
        (f"{TYPE} {BLOB} {'x' * 200}", "x" * 200),
    ],
)
def test_what_surrounds_a_key_is_tidied(text: str, comment: str) -> None:
    key = parse(text, field="public_key")
    assert key.comment == comment
    assert key.line == f"{TYPE} {BLOB} {comment}".rstrip()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "one public key on one line"),
        ("# only a comment", "one public key on one line"),
        (f"{ADA}\n{OTTO}", "one public key on one line"),
        (PEM, "one public key on one line"),
        (PEM.replace("\n", " "), "one public key on one line"),
        (SSH2, "one public key on one line"),
        ("hello", "no OpenSSH public key"),
        ("id_ed25519.pub", "no OpenSSH public key"),
        (BLOB, "no OpenSSH public key"),
        (ADA.upper(), "no OpenSSH public key"),
        (f"ssh-ed448 {BLOB}", "no OpenSSH public key"),
        ('from="10.0.0.0/8" ' + ADA, "options before the key"),
        ('no-pty,command="echo ssh me" ' + ADA, "options before the key"),
        (CERTIFICATE, "a certificate, not a key"),
        (DSA, "DSA keys are too weak"),
        (RSA_1024, "an RSA key of 1024 bits; 2048 to 16384 are needed"),
        (TYPE, "damaged or cut off"),
        (f"{TYPE} AAAA", "damaged or cut off"),
        (f"{TYPE} {BLOB[:-4]}", "damaged or cut off"),
        (f"{TYPE} {BLOB[:-1]}", "damaged or cut off"),
        (f"{TYPE} {BLOB}AAAA", "damaged or cut off"),
        (f"{TYPE} {BLOB[:20]}!{BLOB[21:]}", "damaged or cut off"),
        (f"{TYPE} {BLOB[:20]}\u00e9{BLOB[21:]}", "damaged or cut off"),
        (f"ssh-rsa {BLOB}", "damaged or cut off"),
        (f"ecdsa-sha2-nistp256 {GOOD[5].split()[1]}", "damaged or cut off"),
        (f"{TYPE} {BLOB} {'x' * 201}", "the comment must be printable"),
        (f"{TYPE} {BLOB} a\x00b", "the comment must be printable"),
        (f"{TYPE} {BLOB} a\x1b[31mb", "the comment must be printable"),
        (f"{TYPE} {BLOB} a\u202eb", "the comment must be printable"),
    ],
)
def test_what_is_no_key_is_told_apart(text: str, told: str) -> None:
    error = refusal(text).error
    assert error.startswith("public_key: ")
    assert told in error


def private_keys() -> list[str]:
    """Private keys in every form that ssh-keygen and OpenSSL write, fresh from the press."""
    written = [
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ),
        rsa.generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ),
    ]
    return [one.decode() for one in written]


@pytest.mark.parametrize("text", private_keys(), ids=["openssh", "pkcs8", "ec", "rsa"])
def test_a_private_key_is_recognised_and_never_repeated(text: str) -> None:
    lines = text.splitlines()
    secret = max(lines, key=len)
    openssh_body = [secret] if "OPENSSH" in lines[0] else []
    for pasted in (text, text.replace("\n", ""), text.replace("\n", " "), f"{ADA}\n{text}", *openssh_body):
        refused = refusal(pasted)
        assert "this is a private key" in refused.error
        told = f"{refused.error} {refused.suggestion} {refused.fault_message}"
        assert not any(pasted[at : at + 16] in told for at in range(len(pasted) - 16))


def test_putty_keys_are_private_too() -> None:
    assert "this is a private key" in refusal("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n").error


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.binary(max_size=120), st.sampled_from([line.split()[0] for line in GOOD]))
def test_whatever_is_sent_is_a_key_or_refused(text: str, blob: bytes, kind: str) -> None:
    for one in (text, f"{kind} {text}", f"{kind} {base64.b64encode(blob).decode()}"):
        with contextlib.suppress(PublicKeyRefused):
            assert parse(one, field="public_key").line
