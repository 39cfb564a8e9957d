"""Asking an output where it comes from: its label, its line in the ledger, the consent it was made under.

The ledger is this installation's own: of what was made elsewhere only the label tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json, sha256_of_file
from dvp_core.trust import ConsentRecord, LedgerEntry, MarkSearch, Verdict, read_consent, read_ledger, verify
from dvp_core.trust.frame_list import LIST_NAME, list_path, read_frame_list

_MANIFEST = "manifest.json"


def judge(
    path: Path | str, *, trusted_roots: Sequence[Path | str] = (), watermark: MarkSearch | Literal["auto"] = "no"
) -> Verdict:
    """Return the verdict on a movie, still, frame or sequence, offline; see `dvp_core.trust.verify`.

    Args:
        path: What is to be judged.
        trusted_roots: PEM files with root certificates to trust besides this installation's own.
        watermark: How the invisible mark is looked for; "auto" searches for it where there is no label.
    """
    if watermark != "auto":
        return verify(path, trusted_roots=trusted_roots, watermark=watermark)
    verdict = verify(path, trusted_roots=trusted_roots)
    return verify(path, trusted_roots=trusted_roots, watermark="search") if verdict.state == "no label" else verdict


@dataclass(frozen=True)
class Story:
    """What is known of an output.

    Attributes:
        verdict: What its label says.
        entry: Its line in the ledger, or that of the list it is in; None where it was not made here.
        generator_entry: The line of the generator that painted it.
        frame: Of a frame that the farm rendered: its number, key, worker and seconds.
        consent: The record that the output names, where its file was given.
        line_count: Lines of the ledger, all of which hold.
    """

    verdict: Verdict
    entry: LedgerEntry | None
    generator_entry: LedgerEntry | None
    frame: dict[str, Any] | None
    consent: ConsentRecord | None
    line_count: int

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        entries = {"ledger": self.entry, "generator": self.generator_entry}
        told = {name: None if entry is None else asdict(entry) for name, entry in entries.items()}
        uses = None if self.consent is None else list(self.consent.terms.uses)
        return {"label": self.verdict.as_json(), **told, "frame": self.frame, "consent_uses": uses}

    def as_text(self) -> str:
        """Return some lines for people."""
        lines = [self.verdict.as_text(), f"  {self._origin()}"]
        if self.frame is not None:
            lines.append("  frame: " + ", ".join(f"{name} {value}" for name, value in self.frame.items()))
        if self.generator_entry is not None:
            trained = self.generator_entry
            lines.append(f"  painted by a generator trained here on {trained.time}, {_under(trained)}")
        if self.consent is not None:
            lines += [f"  allowed: {use}" for use in self.consent.terms.uses]
        return "\n".join(lines)

    def _origin(self) -> str:
        if self.entry is None:
            return f"is not among the {self.line_count} outputs of this installation's ledger"
        return f"made here on {self.entry.time}, line {self.entry.number} of the ledger, {_under(self.entry)}"


def _under(entry: LedgerEntry) -> str:
    digest = entry.consent_sha256
    return "without a record of consent" if digest is None else f"under the record of consent {digest[:12]}"


def explain(path: Path | str, *, consent: Path | None = None) -> Story:
    """Tell the story of a movie, picture, frame or folder of frames.

    Args:
        path: The output.
        consent: The record that it was made under, to tell what that allows.

    Raises:
        DataError: The ledger was tampered with; or the record is another than the output names.
    """
    path = Path(path)
    entries = {entry.output_sha256: entry for entry in read_ledger()}
    verdict = verify(path)
    entry = entries.get(_entered_sha256(path))
    made_by = None if entry is None else entries.get(entry.inputs_sha256.get("generator", ""))
    named = verdict.consent_sha256 or (None if entry is None else entry.consent_sha256)
    return Story(verdict, entry, made_by, _frame(path), _named(consent, named), len(entries))


def _entered_sha256(path: Path) -> str:
    """Return the hash under which an output stands in the ledger: its own, or that of the list it is in."""
    beside = list_path(path if path.is_dir() else path.parent)
    if path.is_file() and not _is_listed(path, beside):
        return sha256_of_file(path)
    return sha256_of_file(beside) if beside.is_file() else ""


def _is_listed(path: Path, beside: Path) -> bool:
    if path.name == LIST_NAME or not beside.is_file():
        return False
    return path.name in {frame.file_name for frame in read_frame_list(beside).frames}


def _frame(path: Path) -> dict[str, Any] | None:
    """Return what the farm's manifest says of a frame; None where there is none."""
    manifest = path.parent / _MANIFEST
    if not path.is_file() or not manifest.is_file():
        return None
    rows = read_json(manifest).get("frames", [])
    found = next((row for row in rows if row.get("file") == path.name), None)
    return None if found is None else {name: found[name] for name in ("frame", "key", "worker", "seconds")}


def _named(consent: Path | None, digest: str | None) -> ConsentRecord | None:
    if consent is None:
        return None
    record = read_consent(consent)
    if record.sha256 != digest:
        raise DataError(
            "is not the record that this output names", where=consent, remedy="Give the one it was made with"
        )
    return record
