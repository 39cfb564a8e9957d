"""Revocations: a consent record that was taken back allows nothing from then on.

A revocation lies beside its record as `NAME.revoked.json`, and in this installation's state, so that a copy of the
record kept elsewhere is refused here too. Whatever lies there and cannot be read counts as a revocation: in doubt,
nothing is made.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically
from dvp_core.trust.consent import ConsentRecord, format_time, parse_time
from dvp_core.trust.keys import SigningKeys, signing_keys
from dvp_core.trust.signatures import check_signature, signature_of, signer_certificate
from dvp_core.trust.state import state_folder

_KIND = "deep-video-portraits revocation"
_VERSION = 1
_SUFFIX = ".revoked.json"
_REMEDY = "Make a new record if the person agrees again"


@dataclass(frozen=True)
class Revocation:
    """That a consent was taken back.

    Attributes:
        record_sha256: The record.
        revoked: When, UTC.
        reason: Why, in plain words; may be empty.
        certificate: Certificate of the signer, PEM.
        signature: See `signatures.py`.
    """

    record_sha256: str
    revoked: str
    reason: str
    certificate: str
    signature: str


def revoke(record: ConsentRecord, path: Path | str, *, reason: str = "", keys: SigningKeys | None = None) -> Revocation:
    """Take a consent back, beside its record and in this installation's state.

    Args:
        record: A record that was read with `read_consent`.
        path: Its file.
        reason: Why, in plain words without names.
        keys: What signs; by default this installation's keys.
    """
    keys = keys or signing_keys()
    unsigned = Revocation(record.sha256, format_time(datetime.now(UTC)), reason, signer_certificate(keys), "")
    signed = replace(unsigned, signature=signature_of(_document(unsigned), keys))
    content = canonical_json(_document(signed))
    for place in _places(record, path):
        write_bytes_atomically(place, content)
    return signed


def revocation_of(record: ConsentRecord, path: Path | str) -> Revocation | None:
    """Return the revocation of a record, or None where it stands.

    Raises:
        DataError: What lies at a revocation's place is none, or was changed.
    """
    for place in _places(record, path):
        if place.exists():
            return _read(place, record)
    return None


def _places(record: ConsentRecord, path: Path | str) -> tuple[Path, Path]:
    path = Path(path)
    return path.with_name(path.stem + _SUFFIX), state_folder() / "revocations" / f"{record.sha256}.json"


def _document(revocation: Revocation) -> dict[str, Any]:
    return {"kind": _KIND, "version": _VERSION, **asdict(revocation)}


def _read(place: Path, record: ConsentRecord) -> Revocation:
    document = read_json(place)
    fields = {"kind", "version", *Revocation.__dataclass_fields__}
    if not isinstance(document, dict) or set(document) != fields or document["kind"] != _KIND:
        raise DataError("is no revocation", where=place, remedy=_REMEDY)
    if not all(isinstance(document[name], str) for name in Revocation.__dataclass_fields__):
        raise DataError("is no revocation", where=place, remedy=_REMEDY)
    if document["record_sha256"] != record.sha256:
        raise DataError("revokes another record", where=place, remedy="Move it beside the record that it is about")
    check_signature(document, where=place, remedy=_REMEDY)
    try:
        parse_time(document["revoked"])
    except ValueError as error:
        raise DataError("names no time", where=place, remedy=_REMEDY) from error
    return Revocation(**{name: document[name] for name in Revocation.__dataclass_fields__})
