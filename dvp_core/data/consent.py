"""The little that every room needs to know of a consent record: its hash."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.files import canonical_json, read_json, sha256_of_bytes


def consent_sha256(path: Path | str | None) -> str | None:
    """Return the hash of a consent record's canonical JSON, or None where no record is given.

    Raises:
        DataError: The file cannot be read as JSON.
    """
    return None if path is None else sha256_of_bytes(canonical_json(read_json(path)))
