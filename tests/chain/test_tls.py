"""Who gets through the handshake, and who does not; peers' keys and nothing else decide."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.errors import DecodeError
from salus_chain.genesis import write_genesis
from salus_chain.keys import public_key_of
from salus_chain.tls import HOST, Credentials, anchor, client_context, credentials, member_of, server_context
from tests.chain.federation import federation, signer

A, B, STRANGER = signer(1), signer(2), signer(77)
MEMBERS = (A.public_key, B.public_key)


def private(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


@dataclass
class Outcome:
    """What the server learned, and what the client got."""

    member: bytes = b""
    got: bytes = b""
    version: str | None = None
    fault: str = ""


def shake(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None = None) -> Outcome:
    """A handshake over loopback; the server says `hello` to whom it lets in."""
    outcome = Outcome()

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(5)
        try:
            with server.wrap_socket(connection, server_side=True) as tls:
                shown = tls.getpeercert(True)
                outcome.member = member_of(shown) if shown else b""
                tls.sendall(b"hello")
        except (OSError, DecodeError) as error:
            outcome.fault = str(error)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            plain = socket.create_connection(listener.getsockname(), timeout=5)
            with plain, client.wrap_socket(plain, server_hostname=host) as tls:
                outcome.got, outcome.version = tls.recv(10), tls.version()
        except OSError as error:
            outcome.fault = outcome.fault or str(error)
        thread.join()
    return outcome


def forged(
    issuer: bytes,
    by: int,
    tls_key: int = 50,
    *,
    authority: bool = False,
    until: int = 9999,
    subject: bytes = b"",
) -> Credentials:
    """A certificate for key number `tls_key` that names `issuer` and that key number `by` signs."""

    def name(key: bytes) -> x509.Name:
        text = urlsafe_b64encode(key).decode() if key else "forged"
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .issuer_name(name(issuer))
        .subject_name(name(subject))
        .public_key(private(tls_key).public_key())
        .serial_number(5)
        .not_valid_before(datetime.datetime(2000, 1, 1))
        .not_valid_after(datetime.datetime(until, 1, 1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    made = builder.sign(private(by), hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return Credentials(made, private(tls_key))


def test_members_meet_and_know_each_other() -> None:
    outcome = shake(server_context(credentials(A), MEMBERS), client_context(MEMBERS, credentials(B)))
    assert (outcome.member, outcome.got, outcome.version) == (B.public_key, b"hello", "TLSv1.3")


def test_a_client_of_an_open_server_needs_no_certificate_and_still_checks_the_server() -> None:
    assert shake(server_context(credentials(A), None), client_context(MEMBERS)).version == "TLSv1.3"
    outcome = shake(server_context(credentials(STRANGER), None), client_context(MEMBERS))
    assert outcome.version is None and outcome.got == b"" and outcome.fault


def test_a_program_that_checks_host_names_knows_the_validators_by_the_anchors_file(tmp_path: Path) -> None:
    write_genesis(tmp_path / "genesis.toml", federation().genesis)
    out = tmp_path / "anchors.pem"
    command = ["anchors", "--genesis", str(tmp_path / "genesis.toml"), "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and "4 validators" in done.output
    for own, known in ((credentials(B), True), (credentials(STRANGER), False)):
        client = ssl.create_default_context(cafile=str(out))
        outcome = shake(server_context(own, None), client, HOST)
        assert (outcome.got == b"hello") == known, outcome.fault


STRANGERS = {
    "none": None,
    "a stranger's": credentials(STRANGER),
    "a stranger's in B's name": forged(B.public_key, 77),
    "A's in B's name": forged(B.public_key, 1),
    "B's, expired": forged(B.public_key, 2, until=2020),
    "signed by itself": forged(public_key_of(private(50)), 50, subject=public_key_of(private(50))),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_nobody_else_gets_a_byte(name: str) -> None:
    outcome = shake(server_context(credentials(A), MEMBERS), client_context(MEMBERS, STRANGERS[name]))
    assert (outcome.member, outcome.got) == (b"", b"") and outcome.fault


def test_tls_1_2_is_not_spoken() -> None:
    old = client_context(MEMBERS, credentials(B))
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    outcome = shake(server_context(credentials(A), MEMBERS), old)
    assert outcome.got == b"" and "PROTOCOL" in outcome.fault


@pytest.mark.parametrize(
    ("middle", "named"),
    [
        (forged(A.public_key, 1, 51, subject=B.public_key, authority=True), B.public_key),
        (forged(A.public_key, 1, 51, subject=A.public_key, authority=True), A.public_key),
        (Credentials(B.certify(public_key_of(private(51))), private(51)), public_key_of(private(51))),
    ],
    ids=["A names an authority B", "A names an authority A", "a TLS key issues"],
)
def test_nobody_issues_for_another_by_a_certificate_between(middle: Credentials, named: bytes) -> None:
    """Only member keys issue: no authority below them, and no TLS key, whatever names they bear."""
    leaf = forged(named, 51, 52)
    client = client_context(MEMBERS, None)
    pem = b"".join(
        x509.load_der_x509_certificate(each.certificate).public_bytes(serialization.Encoding.PEM)
        for each in (leaf, middle)
    )
    load(client, pem, leaf.key)
    outcome = shake(server_context(credentials(A), MEMBERS), client)
    assert (outcome.member, outcome.got) == (b"", b"") and outcome.fault


def load(context: ssl.SSLContext, chain: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    import tempfile

    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain + key.private_bytes(encoding, form, serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)


def test_who_is_no_member_any_more_does_not_resume_an_old_session() -> None:
    own, client = credentials(A), client_context(MEMBERS, credentials(B))
    assert shake(server_context(own, MEMBERS), client).member == B.public_key
    assert shake(server_context(own, MEMBERS[:1]), client).got == b""
    assert shake(server_context(own, ()), client).got == b""


def test_a_certificate_names_the_key_that_signed_it_or_is_refused() -> None:
    assert member_of(credentials(A).certificate) == A.public_key
    assert member_of(forged(B.public_key, 2).certificate) == B.public_key
    future = credentials(A).certificate.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020106"), 1)
    for wrong in (
        future,
        forged(B.public_key, 1).certificate,
        anchor(A.public_key),
        b"",
        b"0",
        forged(b"", 1).certificate,
    ):
        with pytest.raises(DecodeError, match="certificate"):
            member_of(wrong)
