"""The head's certificate, looked at before anything listens with it."""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.errors import DataError


@dataclass(frozen=True)
class TlsFiles:
    """What a head needs to speak TLS itself.

    Attributes:
        certificate: PEM, the head's own certificate first, then those that lead to the authority.
        key: PEM of its private key, without a password.
        authority: PEM of the certificates that clients check it with; None where systems know the authority anyway.
    """

    certificate: Path
    key: Path
    authority: Path | None = None


def check_tls(files: TlsFiles) -> None:
    """Refuse files that no head could serve with.

    Raises:
        DataError: One is missing, others can read the key, or key and certificate are no pair.
    """
    for path in (files.certificate, files.key, files.authority):
        if path is not None and not path.is_file():
            raise DataError("there is no such file", where=path)
    if os.name != "nt" and stat.S_IMODE(files.key.stat().st_mode) & 0o077:
        raise DataError("other users can read the private key", where=files.key, remedy=f"chmod 600 {files.key}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password=_no_password)
        if files.authority is not None:
            ssl.create_default_context(cafile=str(files.authority))
    except (OSError, ValueError) as error:
        raise DataError(
            f"certificate and key cannot be used ({error})", where=files.certificate, remedy="give a pair of PEM files"
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")
