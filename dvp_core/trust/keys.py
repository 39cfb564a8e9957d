"""The certificates that sign labels: a studio's own where it has them, else a local chain made on first use.

A local chain proves that a file has not changed since this installation signed it. Strangers do not know its root: for
them a label signed with it is intact but of an unknown signer, and nothing here pretends otherwise.
The private key lies, with the secret of the invisible mark, in a folder that only its user may read (`DVP_KEYS`, else
the user's configuration folder).
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dvp_core.data.errors import DataError
from dvp_core.data.files import sync_to_disk

KEYS_VARIABLE = "DVP_KEYS"
_KEY_NAME, _CHAIN_NAME, _ROOT_NAME = "signing_key.pem", "chain.pem", "root.pem"
_MARK_NAME, _MARK_BYTES = "watermark_key.bin", 32
_VALIDITY_DAYS = 3650  # Without a time stamp a label dies with its certificate, so the local one lives long.
_ORGANISATION = "Deep Video Portraits, local key"


@dataclass(frozen=True)
class SigningKeys:
    """What signs a label, in PEM.

    Attributes:
        chain_pem: The signing certificate, then its issuers.
        key_pem: The private key of the first certificate.
        root_pem: The root that a verifier here trusts.
    """

    chain_pem: bytes
    key_pem: bytes
    root_pem: bytes


@dataclass(frozen=True)
class KeysStatus:
    """Whether there are keys.

    Attributes:
        is_present: Keys exist and can be used.
        detail: Where they lie, or what is wrong and what to do.
    """

    is_present: bool
    detail: str


def keys_folder() -> Path:
    """Return the folder of the signing keys: `DVP_KEYS`, else one in the user's configuration folder."""
    chosen = os.environ.get(KEYS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    configuration = os.environ.get("XDG_CONFIG_HOME")
    base = Path(configuration) if configuration else Path.home() / ".config"
    return base / "deep-video-portraits" / "keys"


def keys_status() -> KeysStatus:
    """Tell whether signing keys exist, without making any."""
    folder = keys_folder()
    if not (folder / _KEY_NAME).exists():
        return KeysStatus(False, f"none yet in {folder}; a local chain is made when the first output is labelled")
    try:
        _read_keys(folder)
    except DataError as error:
        return KeysStatus(False, str(error))
    return KeysStatus(True, f"{folder}")


def signing_keys() -> SigningKeys:
    """Return the keys to sign with, making a local chain where there is none.

    Raises:
        DataError: The folder cannot be written, or the keys in it are incomplete or open to others.
    """
    folder = keys_folder()
    if not folder.exists() or not any(folder.iterdir()):
        _make_folder(folder)
    return _read_keys(folder)


def watermark_key() -> bytes:
    """Return the secret of the invisible mark, 32 bytes, made beside the signing keys where there is none.

    Raises:
        DataError: The folder cannot be written, or the secret is of another length or open to others.
    """
    signing_keys()
    path = keys_folder() / _MARK_NAME
    if not path.exists():
        _make_watermark_key(path)
    _check_private(path)
    key = path.read_bytes()
    if len(key) != _MARK_BYTES:
        raise DataError(f"holds {len(key)} bytes, not {_MARK_BYTES}", where=path, remedy="Restore it from a copy")
    return key


def stored_watermark_key() -> bytes | None:
    """Return the secret of the invisible mark where there is one, without making any."""
    return watermark_key() if (keys_folder() / _MARK_NAME).exists() else None


def _make_watermark_key(path: Path) -> None:
    """Write it beside its place and link it there: of two processes at once, one wins and both use its secret."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_private(temporary, secrets.token_bytes(_MARK_BYTES))
        with suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise DataError(f"cannot be made: {error.strerror}", where=path) from error
    finally:
        temporary.unlink(missing_ok=True)


def local_root_pem() -> bytes | None:
    """Return the root certificate of this installation's keys, or None where there are no keys yet."""
    root = keys_folder() / _ROOT_NAME
    return root.read_bytes() if root.exists() else None


def _read_keys(folder: Path) -> SigningKeys:
    missing = [name for name in (_KEY_NAME, _CHAIN_NAME, _ROOT_NAME) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"lacks {', '.join(missing)}",
            where=folder,
            remedy=f"Put the studio's {_KEY_NAME}, {_CHAIN_NAME} and {_ROOT_NAME} there, or remove the folder to have "
            "a local chain made",
        )
    _check_private(folder / _KEY_NAME)
    keys = SigningKeys(*((folder / name).read_bytes() for name in (_CHAIN_NAME, _KEY_NAME, _ROOT_NAME)))
    _check_key(keys, folder)
    return keys


def _check_private(path: Path) -> None:
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DataError("can be read by others", where=path, remedy=f"Run: chmod 600 {path}")


def _check_key(keys: SigningKeys, folder: Path) -> None:
    try:
        key = serialization.load_pem_private_key(keys.key_pem, password=None)
        certificate = x509.load_pem_x509_certificates(keys.chain_pem)[0]
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"holds keys that cannot be read ({error})", where=folder) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DataError("holds a key of another kind than ECDSA P-256", where=folder, remedy="Give an ES256 key")
    if key.public_key() != certificate.public_key():
        raise DataError("holds a private key that does not belong to its certificate", where=folder)


def _make_folder(folder: Path) -> None:
    """Make the folder beside its place and rename it: of two processes at once, one wins and both use its keys."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise DataError(
            f"cannot be made: {error.strerror}", where=folder, remedy=f"Choose another folder with {KEYS_VARIABLE}"
        ) from error
    try:
        keys = make_local_chain()
        for name, content in ((_KEY_NAME, keys.key_pem), (_CHAIN_NAME, keys.chain_pem), (_ROOT_NAME, keys.root_pem)):
            _write_private(temporary / name, content)
        sync_to_disk(temporary)
        temporary.rename(folder)
    except OSError as error:
        if not (folder / _KEY_NAME).exists():
            raise DataError(f"cannot be made: {error.strerror}", where=folder) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def make_local_chain(*, now: datetime | None = None, validity_days: float = _VALIDITY_DAYS) -> SigningKeys:
    """Return a new root and a signing certificate issued by it (ES256), with the uses that C2PA asks for.

    Args:
        now: Beginning of validity; by default an hour ago, so that clocks may differ.
        validity_days: How long both live.
    """
    begin = now or datetime.now(UTC) - timedelta(hours=1)
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = _name("Root"), _name("Signer")
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    root = (
        _certificate(root_name, root_name, root_key, begin, validity_days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(leaf_name, root_name, leaf_key, begin, validity_days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(authority, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    root_pem = root.public_bytes(serialization.Encoding.PEM)
    key_pem = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKeys(leaf.public_bytes(serialization.Encoding.PEM) + root_pem, key_pem, root_pem)


def _name(role: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION), x509.NameAttribute(NameOID.COMMON_NAME, role)]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begin: datetime, validity_days: float
) -> x509.CertificateBuilder:
    """Return what both certificates have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=validity_days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
