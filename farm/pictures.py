"""A job's pictures for people who watch it: a finished frame by its number, and the contact sheet.

Only what the ledger names is served, and only with the bytes that it names: the path is resolved through the roots,
opened as a plain file of limited size, and its hash compared. So no job can be written that shows another file.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.pipeline.render_frames import frame_path
from farm.errors import ConflictError, UnknownJobError
from farm.ledger_view import LedgerView
from farm.roots import Roots

LIMIT_BYTES = 64 << 20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CONTACT_SHEET = "contact.png"


@dataclass(frozen=True)
class Picture:
    """A PNG of a job, by its hash; `frame` is None for the contact sheet."""

    text: str
    sha256: str
    frame: int | None = None


@dataclass(frozen=True)
class Pictures:
    """Finds and reads the pictures of a ledger's jobs below the roots."""

    view: LedgerView
    roots: Roots

    def frame(self, job_id: str, frame: int) -> Picture:
        """Return a finished frame; `UnknownJobError` where the job has none of that number."""
        template = json.loads(self.view.job_row(job_id)["content"])["output"]
        rows = self.view.rows(
            "SELECT sha256 FROM frames WHERE job_id = ? AND frame = ? AND state = 'completed'", job_id, frame
        )
        if not rows:
            raise UnknownJobError(f"has no finished frame {frame}", where=f"job {job_id}")
        return Picture(_frame_text(template, frame), rows[0]["sha256"], frame)

    def contact_sheet(self, job_id: str) -> Picture:
        """Return the contact sheet; `UnknownJobError` where it is not made yet."""
        template = json.loads(self.view.job_row(job_id)["content"])["output"]
        rows = self.view.rows("SELECT sha256 FROM files WHERE job_id = ? AND name = ?", job_id, _CONTACT_SHEET)
        if not rows:
            raise UnknownJobError("has no contact sheet yet", where=f"job {job_id}")
        root, _, relative = template.partition(":")
        folder, _, _ = relative.rpartition("/")
        return Picture(f"{root}:{folder}/{_CONTACT_SHEET}" if folder else f"{root}:{_CONTACT_SHEET}", rows[0]["sha256"])

    def content(self, picture: Picture) -> bytes:
        """Return a picture's bytes.

        Raises:
            ConflictError: The file is gone, or no longer what was rendered.
            DataError: It is no PNG, too large or leaves its root.
        """
        content = _read_plain_file(self.roots.resolve(picture.text), where=picture.text)
        if hashlib.sha256(content).hexdigest() != picture.sha256:
            raise ConflictError("is no longer the file that was rendered", where=picture.text)
        if not content.startswith(_SIGNATURE):
            raise DataError("is not a PNG", where=picture.text)
        return content


def _frame_text(template: str, frame: int) -> str:
    """Return `root:relative` of one frame; only the relative part is a path of this machine's kind."""
    root, _, relative = template.partition(":")
    return f"{root}:{frame_path(relative, frame).as_posix()}"


def _read_plain_file(path: Path, *, where: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ConflictError(f"cannot be opened ({error.strerror})", where=where, remedy="retry the frame") from error
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LIMIT_BYTES:
            raise DataError(f"is no plain file of at most {LIMIT_BYTES >> 20} MiB", where=where)
        return stream.read(LIMIT_BYTES)
