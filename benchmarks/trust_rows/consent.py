"""C1 to C5: nothing is made without consent, nothing is exempt, and no output says who it shows."""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path

from trust_rows.consent_state import random_lives, tampered_ledgers
from trust_rows.line import WRITERS, Line, make_line
from trust_rows.row import Finding, Row, Scene, judged, missing

_NAMES = ("jane", "doe")
_MAIL = re.compile(rb"[A-Za-z0-9._-]{2,}@[A-Za-z0-9-]{2,}\.[a-z]{2,}")
_PICTURE_STARTS = {b"\xff\xd8\xff\xe0": "a JPEG", b"\xff\xd8\xff\xe1": "a JPEG", b"c2pa.thumbnail": "a thumbnail"}


def no_names_and_faces(scene: Scene) -> Finding:
    """C5."""
    line = make_line(scene.new_folder("C5"))
    outputs = line.folder / "outputs"
    outputs.mkdir()
    for name, writer in WRITERS.items():
        writer.run(line, outputs / name.replace(" ", "_"))
    files = sorted(path for path in outputs.rglob("*") if path.is_file() and not path.is_symlink())
    found = {str(path.relative_to(outputs)): signs for path in files if (signs := _signs(path, line))}
    return judged({"files": len(files), "found": found}, not found, "an output says who it shows or who made it")


def _signs(path: Path, line: Line) -> list[str]:
    """Return what in a file tells a person: the plate's name, the user's, the machine's, a mail, a small picture."""
    content = path.read_bytes()
    words = {*_NAMES, getpass.getuser(), socket.gethostname(), str(Path.home()), str(line.folder), os.path.sep + "tmp"}
    told = [word for word in sorted(words) if len(word) > 2 and _stands_in(word.encode(), content)]
    told += [name for start, name in _PICTURE_STARTS.items() if start in content]
    return told + [mail.decode() for mail in _MAIL.findall(content)[:3]]


def _stands_in(word: bytes, content: bytes) -> bool:
    """Tell whether a word stands in a file by itself, whatever its case: three letters turn up in packed pictures."""
    return re.search(rb"(?<![A-Za-z0-9])" + re.escape(word) + rb"(?![A-Za-z0-9])", content, re.IGNORECASE) is not None


_NOT_DEMANDED = (
    "work without any record is not refused yet, and no command says for which language, project or dialogue it works; "
    "the gate's own reasons are tried in tests/trust/test_consent_gate.py"
)

ROWS = (
    Row(
        "C1",
        "25 bad records by 5 ways in: 125 of 125 refused with the exact reason, 0 output bytes",
        missing(_NOT_DEMANDED),
    ),
    Row("C2", "10,000 random steps of grant, revoke, expire, render: 0 renders while not allowed", random_lives),
    Row("C3", "dubbing passes the same gate", missing(_NOT_DEMANDED)),
    Row(
        "C4",
        "ledger of records chained by hashes: a changed, dropped or swapped line is found in 100 %",
        tampered_ledgers,
    ),
    Row("C5", "no name, face or mail in any output of a default run", no_names_and_faces),
)
