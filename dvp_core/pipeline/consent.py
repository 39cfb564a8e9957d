"""Consent records on the way through the pipeline: made once, checked wherever one is given, named in every output."""

from __future__ import annotations

from pathlib import Path

from dvp_core.trust import ConsentRecord, new_consent, read_consent, write_consent


def consent_sha256(path: Path | str | None) -> str | None:
    """Return the hash that outputs carry for a consent record, or None where no record is given.

    Raises:
        DataError: The file is no consent record, or was changed after it was signed.
    """
    return None if path is None else read_consent(path).sha256


def record_consent(
    clip: Path | str, use: str, output: Path | str, *, subject: str | None = None, project: str = ""
) -> ConsentRecord:
    """Sign and write a record that allows one use of one clip."""
    record = new_consent(clip, use, subject=subject, project=project)
    write_consent(output, record)
    return record


def show_consent(path: Path | str) -> ConsentRecord:
    """Return a record, every field and its signature checked."""
    return read_consent(path)
