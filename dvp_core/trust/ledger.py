"""The ledger: what was published here under which consent, append-only, each line chained to the one before it.

Each signing key has a ledger of its own in the state folder: `ledger.jsonl` with one canonical JSON a line, which holds
the hash of the line before it, and `ledger.end.json` with the number and hash of the last line, signed. So a line that
was changed, exchanged, put in or dropped is found, the last ones too. That somebody with the signing key has written
the whole ledger anew is not: keep copies elsewhere. A line is written before its output gets its name, so it may speak
of an output that a pulled plug kept from appearing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, parse_json, read_json, sha256_of_bytes, write_bytes_atomically
from dvp_core.trust.consent import format_time, parse_time
from dvp_core.trust.keys import SigningKeys, keys_status, signing_keys
from dvp_core.trust.signatures import check_signature, signature_of, signer_certificate
from dvp_core.trust.state import state_folder

try:
    import fcntl
except ImportError:  # Windows: two programs that publish in the same instant may have to try again
    fcntl = None

OutputKind = Literal["movie", "still", "frames", "generator"]
_NAME, _END_NAME, _LOCK_NAME = "ledger.jsonl", "ledger.end.json", "ledger.lock"
_NO_LINE = "0" * 64
_LONGEST_LINE = 1 << 16
_REMEDY = "Keep it for whoever looks into this, move it away, and go on with a new one"


@dataclass(frozen=True)
class LedgerEntry:
    """One line.

    Attributes:
        number: 1 for the first line.
        before_sha256: Hash of the line before, zeros for the first.
        time: When, UTC.
        kind: What was published.
        output_sha256: Hash of the file; of a sequence, of its signed list.
        consent_sha256: The record of consent, where one was given.
        source_type: The IPTC's term for how it came about; empty for a generator.
        inputs_sha256: What it was made from, by role.
    """

    number: int
    before_sha256: str
    time: str
    kind: OutputKind
    output_sha256: str
    consent_sha256: str | None
    source_type: str
    inputs_sha256: dict[str, str]


@dataclass(frozen=True)
class _End:
    """The last line's number and hash."""

    count: int
    sha256: str


def enter(
    kind: OutputKind,
    output_sha256: str,
    *,
    consent_sha256: str | None,
    source_type: str = "",
    inputs_sha256: Mapping[str, str] | None = None,
) -> None:
    """Append a line about an output that is about to get its final name.

    Raises:
        DataError: The ledger cannot be written, or its end is not what was last written there.
    """
    keys = signing_keys()
    folder = _folder(keys)
    with _locked(folder):
        _cut_half_a_line(folder / _NAME)
        end = _checked_end(folder)
        entry = LedgerEntry(
            end.count + 1,
            end.sha256,
            format_time(datetime.now(UTC)),
            kind,
            output_sha256,
            consent_sha256,
            source_type,
            dict(inputs_sha256 or {}),
        )
        line = canonical_json(asdict(entry))
        _append(folder / _NAME, line)
        _write_end(folder, _End(entry.number, sha256_of_bytes(line)), keys)


def ledger_path() -> Path:
    """Return the file of the ledger that belongs to this installation's keys; it need not exist."""
    return _folder(signing_keys()) / _NAME


def read_ledger(path: Path | None = None) -> list[LedgerEntry]:
    """Return every line of a ledger, by default this installation's, after checking its chain and its signed end.

    Raises:
        DataError: A line was changed, exchanged, put in or dropped; the first is named.
    """
    path = path or ledger_path()
    entries, before = [], _NO_LINE
    for number, line in enumerate(_lines(path), start=1):
        entry = _entry_of(line, path, number)
        if (entry.number, entry.before_sha256) != (number, before):
            raise DataError(f"line {number} does not follow the one before it", where=path, remedy=_REMEDY)
        entries.append(entry)
        before = sha256_of_bytes(line)
    _check_follows(_End(len(entries), before), entries[-1] if entries else None, _read_end(path.parent), path)
    return entries


def last_entry_time() -> datetime | None:
    """Return when something was last published here, or None where nothing was, or the last line cannot be read."""
    if not keys_status().is_present:
        return None
    path = ledger_path()
    try:
        line = _last_line(path)
        return None if line is None else parse_time(_entry_of(line, path).time)
    except (DataError, ValueError):
        return None


def _folder(keys: SigningKeys) -> Path:
    """Return where the ledger of a signing key lies."""
    return state_folder() / "ledger" / sha256_of_bytes(signer_certificate(keys).encode())[:16]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror}", where=folder, remedy="Choose another folder with DVP_STATE"
        ) from error
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _checked_end(folder: Path) -> _End:
    """Return the end to go on from."""
    path = folder / _NAME
    line = _last_line(path)
    last = None if line is None else _entry_of(line, path)
    found = _End(0, _NO_LINE) if line is None or last is None else _End(last.number, sha256_of_bytes(line))
    _check_follows(found, last, _read_end(folder), path)
    return found


def _check_follows(found: _End, last: LedgerEntry | None, signed: _End, path: Path) -> None:
    """Check that a ledger ends where it was signed, or one line further: a plug may be pulled between the two."""
    if found == signed:
        return
    if last is None or (found.count, last.before_sha256) != (signed.count + 1, signed.sha256):
        detail = f"has {found.count} lines where {signed.count} were signed"
        raise DataError(
            "ends otherwise than signed" if found.count == signed.count else detail, where=path, remedy=_REMEDY
        )


def _lines(path: Path) -> Iterator[bytes]:
    """Yield whole lines without their ends; half a line that a pulled plug has left is none."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield line[:-1]


def _last_line(path: Path) -> bytes | None:
    if not path.exists():
        return None
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 2 * _LONGEST_LINE))
        whole = stream.read().rpartition(b"\n")[0]
    return whole.rpartition(b"\n")[2] or None


def _cut_half_a_line(path: Path) -> None:
    """Cut off what a pulled plug has left half-written at the end."""
    if not path.exists():
        return
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(0, size - _LONGEST_LINE)
        stream.seek(start)
        stream.truncate(start + stream.read().rfind(b"\n") + 1)


def _append(path: Path, line: bytes) -> None:
    try:
        with path.open("ab") as stream:
            stream.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror}", where=path, remedy="Make room, then try again"
        ) from error


def _entry_of(line: bytes, path: Path, number: int | None = None) -> LedgerEntry:
    where = f"{path}, line {number or 'at the end'}"
    document = parse_json(line, where=where)
    if not isinstance(document, dict) or set(document) != set(LedgerEntry.__dataclass_fields__):
        raise DataError("is no line of a ledger", where=where, remedy=_REMEDY)
    return LedgerEntry(**document)


def _read_end(folder: Path) -> _End:
    path = folder / _END_NAME
    if not path.exists():
        return _End(0, _NO_LINE)
    document = read_json(path)
    if not isinstance(document, dict) or set(document) != {"count", "sha256", "certificate", "signature"}:
        raise DataError("is no end of a ledger", where=path, remedy=_REMEDY)
    check_signature(document, where=path, remedy=_REMEDY)
    if sha256_of_bytes(document["certificate"].encode())[:16] != folder.name:
        raise DataError("was signed with another key", where=path, remedy=_REMEDY)
    return _End(document["count"], document["sha256"])


def _write_end(folder: Path, end: _End, keys: SigningKeys) -> None:
    document = {**asdict(end), "certificate": signer_certificate(keys)}
    document["signature"] = signature_of(document, keys)
    write_bytes_atomically(folder / _END_NAME, canonical_json(document))
