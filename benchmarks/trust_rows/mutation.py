"""L8: what happens to the tests when one of the calls that matter is deleted from a copy of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from trust_rows.row import ROOT, Finding, Row, Scene

_COPIED = ("dvp_core", "tests", "tools", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """A call and what is left when it is deleted.

    Attributes:
        path: The source file.
        call: The text of the call.
        instead: What stands in its place.
        tests: Tests that should see it.
    """

    path: str
    call: str
    instead: str
    tests: tuple[str, ...]


_TESTS = ("tests/trust/test_publish.py",)
_LINE_TESTS = ("tests/pipeline/test_line.py::test_every_composed_movie_and_sequence_carries_the_mark",)
MUTANTS = {
    "label of a still or movie": Mutant(
        "dvp_core/trust/publish.py",
        "    sign_embedded(plain, temporary, label, keys)\n    _check_label(temporary, keys, sidecar=None)\n",
        "    temporary.write_bytes(plain.read_bytes())\n",
        _TESTS,
    ),
    "label beside a file": Mutant(
        "dvp_core/trust/publish.py", "    write_bytes_atomically(sidecar, trial.read_bytes())\n", "", _TESTS
    ),
    "watermark of a composed face": Mutant(
        "dvp_core/compose/frame.py",
        "        face = mark.on(face, weight=seen, top_px=there[0].start, left_px=there[1].start)\n",
        "        pass\n",
        ("tests/compose/test_edit_matte.py",),
    ),
    "watermark of a composed movie": Mutant(
        "dvp_core/pipeline/movie.py", "unedited=before, mark=mark)", "unedited=before)", _LINE_TESTS
    ),
    "watermark of a composed picture": Mutant(
        "dvp_core/pipeline/composed_frames.py",
        "composed = compose_frame(plate, generated, pass_frame, crop, unedited=before, mark=mark)",
        "composed = compose_frame(plate, generated, pass_frame, crop, unedited=before)",
        _LINE_TESTS,
    ),
    "watermark of composed layers": Mutant(
        "dvp_core/pipeline/composed_frames.py",
        "layers = compose_layers(plate, generated, pass_frame, crop, unedited=before, mark=mark)",
        "layers = compose_layers(plate, generated, pass_frame, crop, unedited=before)",
        _LINE_TESTS,
    ),
    "watermark of bare squares": Mutant(
        "dvp_core/pipeline/movie.py",
        "_told(squares, marked(_bare(squares), mark), progress), fps=fps",
        "_told(squares, _bare(squares), progress), fps=fps",
        _LINE_TESTS,
    ),
}
_NOT_YET = ("the gate call",)


def killed(scene: Scene) -> Finding:
    """L8."""
    folder = scene.new_folder("L8")
    for name in _COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    outcomes = {name: _outcome(folder, mutant) for name, mutant in MUTANTS.items()}
    is_killed = all(outcome == "killed" for outcome in outcomes.values())
    if not is_killed:
        return Finding(outcomes, False, "a deleted call went unseen")
    reason = f"{' and '.join(_NOT_YET)} cannot be deleted, since they do not exist yet"
    return Finding(outcomes, not _NOT_YET, reason if _NOT_YET else None)


def _outcome(folder: Path, mutant: Mutant) -> str:
    """Delete one call in the copy, run its tests, and put it back."""
    path = folder / mutant.path
    source = path.read_text()
    if source.count(mutant.call) != 1:
        return "the call is not where it was"
    path.write_text(source.replace(mutant.call, mutant.instead))
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    path.write_text(source)
    return {0: "survived", 1: "killed"}.get(result.returncode, f"the tests did not run: {result.stdout[-200:]}")


ROW = Row("L8", "deleting the label, the watermark or the gate call fails at least one test each", killed)
