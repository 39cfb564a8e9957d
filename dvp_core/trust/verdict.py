"""What `dvp verify` says of a file: one of six states, each with its exit code, in words and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dvp_core.trust.watermark_reader import MarkReading

State = Literal["known", "unknown signer", "no label", "altered", "unreadable", "contradiction"]
EXIT_CODES: dict[State, int] = {
    "known": 0,
    "unknown signer": 1,
    "no label": 2,
    "altered": 3,
    "unreadable": 4,
    "contradiction": 5,
}
_HEADLINES: dict[State, str] = {
    "known": "intact, and signed by someone you trust",
    "unknown signer": "intact, but signed by someone unknown here: anyone can make such a label",
    "no label": "carries no label: nothing can be said about where it comes from",
    "altered": "was altered after it was signed, or its signature no longer holds",
    "unreadable": "cannot be read",
    "contradiction": "contradicts itself",
}


@dataclass(frozen=True)
class Verdict:
    """The judgement on a file or a sequence.

    Attributes:
        path: What was judged.
        state: One of the six states.
        reason: Why, in words.
        source_type: The last term of the IPTC's address that says how the pictures came about.
        signer: Name in the signing certificate.
        tool: Program that made the label, with its version.
        edits: What was done, in the label's own words.
        consent_sha256: Hash of the consent record that the label names.
        frame_count: How many frames a list covers; None for a single file.
        named_watermark: The invisible mark that the label names.
        watermark: What was found of this studio's invisible mark in the frames; None where it was not looked for.
    """

    path: str
    state: State
    reason: str
    source_type: str | None = None
    signer: str | None = None
    tool: str | None = None
    edits: tuple[str, ...] = ()
    consent_sha256: str | None = None
    frame_count: int | None = None
    named_watermark: str | None = None
    watermark: MarkReading | None = None

    @property
    def code(self) -> int:
        """The exit code of `dvp verify`."""
        return EXIT_CODES[self.state]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {**asdict(self), "edits": list(self.edits), "code": self.code}

    def as_text(self) -> str:
        """Return a few lines for people."""
        named = [
            ("why", self.reason),
            ("made as", self.source_type),
            ("signed by", self.signer),
            ("made with", self.tool),
            *(("edit", edit) for edit in self.edits),
            ("consent record", self.consent_sha256),
            ("frames", None if self.frame_count is None else str(self.frame_count)),
            ("watermark named", self.named_watermark),
            ("watermark", None if self.watermark is None else self.watermark.as_text()),
        ]
        lines = [f"  {name}: {value}" for name, value in named if value]
        return "\n".join([f"{Path(self.path).name} {_HEADLINES[self.state]}.", *lines])
