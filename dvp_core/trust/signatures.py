"""Signed JSON documents: consent records, revocations and the end of the ledger are signed in the same way.

The signature is ECDSA (P-256, SHA-256, DER, base64) over the canonical JSON of everything but itself; the certificate
of its key travels in the document.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from dvp_core.trust.keys import SigningKeys, local_root_pem

SIGNATURE = "signature"
_ALGORITHM = ec.ECDSA(hashes.SHA256())


def signer_certificate(keys: SigningKeys) -> str:
    """Return the certificate, PEM, that belongs to the private key."""
    leaf = x509.load_pem_x509_certificates(keys.chain_pem)[0]
    return leaf.public_bytes(serialization.Encoding.PEM).decode("ascii")


def signature_of(document: Mapping[str, Any], keys: SigningKeys) -> str:
    """Return the signature over a document without its field `signature`."""
    key = serialization.load_pem_private_key(keys.key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return base64.b64encode(key.sign(_signed_part(document), _ALGORITHM)).decode("ascii")


def check_signature(document: Mapping[str, Any], *, where: Path | str, remedy: str) -> None:
    """Check the signature of a document with the fields `certificate` and `signature`.

    Raises:
        DataError: Broken, of another kind of key, or over other content.
    """
    try:
        key = x509.load_pem_x509_certificate(document["certificate"].encode()).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise DataError("is signed with a key of another kind than ECDSA", where=where, remedy=remedy)
        key.verify(base64.b64decode(document[SIGNATURE], validate=True), _signed_part(document), _ALGORITHM)
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise DataError(
            "was changed after it was signed, or its signature is broken", where=where, remedy=remedy
        ) from error


def is_issued_here(certificate_pem: str, *, root_pem: bytes | None = None) -> bool:
    """Tell whether a certificate was issued by a root: a given one, or this installation's own."""
    root_pem = root_pem or local_root_pem()
    if root_pem is None:
        return False
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root_pem))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signed_part(document: Mapping[str, Any]) -> bytes:
    return canonical_json({name: value for name, value in document.items() if name != SIGNATURE})
