"""A head that speaks TLS itself, with certificates made here, and clients that know its authority or do not."""

import datetime
import ipaddress
import signal
import socket
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dvp_core.data.errors import DataError
from farm.client import FarmClient, FarmError, connect
from farm.tls import TlsFiles, check_tls


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_key(path, key, *, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return path


class Authority:
    """An authority of its own, and the certificates it gives."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        rule = x509.BasicConstraints(ca=True, path_length=None)
        uses = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        made = self.certificate(self.name, self.key, [(rule, True), (uses, True)])
        self.path.write_bytes(pem_of(made))

    def certificate(self, subject, key, extensions):
        now = datetime.datetime.now(datetime.UTC)
        own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, is_critical in [*extensions, (own_id, False), (authority_id, False)]:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self.key, hashes.SHA256())

    def files_for(self, name, address):
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self.certificate(subject, key, [(names, False)])
        (self.folder / f"{name}.crt").write_bytes(pem_of(made))
        return TlsFiles(self.folder / f"{name}.crt", write_key(self.folder / f"{name}.key", key), self.path)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    (folder / "site").mkdir()
    return folder


@pytest.fixture(scope="module")
def authority(site):
    return Authority(site, "studio")


@pytest.fixture(scope="module")
def head_url(site, authority):
    """A head on every address of this machine, which nothing but TLS allows; what its own user finds beside it."""
    files = authority.files_for("farm", "127.0.0.1")
    words = ["--tls-cert", files.certificate, "--tls-key", files.key, "--tls-ca", files.authority]
    command = [sys.executable, "-m", "dvp_core", "farm", "head", "--root", f"site={site / 'site'}", "--port", "0"]
    command += ["--host", "0.0.0.0", "--state", site / "state", "--backend", "this-machine", *words]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as head:
        head.stdout.readline()
        yield head.stdout.readline().split("jobs at ")[1].split()[0]
        head.send_signal(signal.SIGTERM)
    assert head.returncode == 0


def token_of(site):
    return connect(connection=site / "state" / "connection.json").token


def test_own_user_reaches_the_head_without_a_word(site, head_url):
    client = connect(connection=site / "state" / "connection.json")
    assert client.url == head_url
    assert head_url.startswith("https://127.0.0.1:")
    assert client.jobs() == []


def test_command_takes_the_authority_that_is_named(site, authority, head_url):
    words = ["list", "--json", "--url", head_url, "--ca"]
    for ca, code in ((authority.path, 0), (Authority(site, "other").path, 3), (site / "none.pem", 3)):
        environment = {"DVP_FARM_TOKEN": token_of(site), "PATH": "", "PYTHONPATH": ".", "HOME": str(site)}
        command = [sys.executable, "-m", "dvp_core", "farm", *words, str(ca)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=environment)
        assert done.returncode == code, done.stderr


def test_token_goes_to_nobody_whose_certificate_leads_elsewhere(site, authority, head_url, monkeypatch):
    token = token_of(site)
    with pytest.raises(FarmError, match="certificate verify failed"):
        FarmClient(head_url, token).jobs()
    with pytest.raises(FarmError, match="not valid for 'localhost'"):
        FarmClient(head_url.replace("127.0.0.1", "localhost"), token, ca=str(authority.path)).jobs()
    monkeypatch.setenv("DVP_FARM_CA", str(authority.path))
    monkeypatch.setenv("DVP_FARM_TOKEN", token)
    assert connect(url=head_url, connection=site / "none.json").jobs() == []


def test_plain_http_gets_nothing_from_it(site, head_url):
    with pytest.raises(FarmError):
        FarmClient(head_url.replace("https", "http"), token_of(site), timeout_s=5).jobs()
    with socket.create_connection(("127.0.0.1", int(head_url.rpartition(":")[2])), timeout=5) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in wire.recv(100)


def test_files_that_make_no_pair_are_refused(tmp_path):
    authority = Authority(tmp_path, "studio")
    files, other = authority.files_for("a", "127.0.0.1"), authority.files_for("b", "127.0.0.1")
    check_tls(files)
    with pytest.raises(DataError, match="cannot be used"):
        check_tls(TlsFiles(files.certificate, other.key))
    files.certificate.chmod(0o600)
    with pytest.raises(DataError, match="cannot be used"):
        check_tls(TlsFiles(files.certificate, files.certificate))
    with pytest.raises(DataError, match="no such file"):
        check_tls(TlsFiles(files.certificate, tmp_path / "none.key"))
    locked = write_key(tmp_path / "locked.key", ec.generate_private_key(ec.SECP256R1()), password=b"word")
    with pytest.raises(DataError, match="password"):
        check_tls(TlsFiles(files.certificate, locked))
    files.key.chmod(0o644)
    with pytest.raises(DataError, match="other users"):
        check_tls(files)
