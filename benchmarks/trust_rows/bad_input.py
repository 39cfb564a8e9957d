"""B1 to B4: files of strangers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from dvp_core.actor import actor_clip_path, actor_consent_path, actor_landmarks_path
from dvp_core.data.edit import Curve, Edit, read_edit, write_edit
from dvp_core.data.job import Job, read_job, write_job
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.data.take import read_take
from dvp_core.face import built_in_face
from dvp_core.generator import load_generator
from dvp_core.passes import PassFolder
from dvp_core.trust import read_consent
from dvp_core.video import open_clip, read_image
from tools.source_rules import AUDITED_READER, hits, runs_what_it_reads
from trust_rows.line import Line, make_line
from trust_rows.media import every_kind
from trust_rows.row import Finding, Row, Scene, judged, missing


def no_code_from_files(scene: Scene) -> Finding:
    """B3."""
    found = list(hits(runs_what_it_reads, but_in=(AUDITED_READER,)))
    return judged({"hits": found}, not found, "a module besides the audited one can run code from a file")


def valid_files_load(scene: Scene) -> Finding:
    """B4."""
    folder = scene.new_folder("B4")
    line = make_line(scene.new_folder("B4 line"))
    loads = _loads(folder, line)
    broken = {name: error for name, load in loads.items() if (error := _error_of(load))}
    count = len(loads)
    return judged(
        {"kinds": count, "loaded": count - len(broken), "broken": broken}, not broken, "a valid file was refused"
    )


def _error_of(load: Callable[[], object]) -> str | None:
    try:
        load()
    except Exception as error:  # noqa: BLE001 - whatever a reader raises on a valid file is what is counted
        return f"{type(error).__name__}: {error}"
    return None


def _loads(folder: Path, line: Line) -> dict[str, Callable[[], object]]:
    """Return one loading of a valid file of every kind."""
    kinds = every_kind(folder)
    edit, job = folder / "edit.json", folder / "job.json"
    write_edit(edit, Edit((Curve("expression.jawOpen", (1.0, 6.0), (0.0, 0.5)),)))
    write_job(job, Job("job", "shot", "1-6", "in:passes", "in:g.safetensors", "out:frame.####.png"))
    return {
        "take": lambda: read_take(line.folder / "clip.take"),
        "edit": lambda: read_edit(edit),
        "job": lambda: read_job(job),
        "consent": lambda: read_consent(line.consent),
        "actor's consent": lambda: read_consent(actor_consent_path()),
        "landmarks": lambda: read_landmarks(actor_landmarks_path()),
        "actor's clip": lambda: open_clip(actor_clip_path()).read(0),
        "built-in head": built_in_face,
        "generator": lambda: load_generator(line.folder / "g.safetensors", device="cpu"),
        "passes": lambda: PassFolder(line.folder / "passes").read(1),
        "png": lambda: read_image(kinds["still"]),
        "mp4": lambda: open_clip(kinds["mp4"]).read(0),
        "mov": lambda: open_clip(kinds["mov"]).read(0),
        "mkv": lambda: open_clip(kinds["mkv"]).read(0),
        "sequence": lambda: open_clip(kinds["png sequence"], fps=Fraction(25)).read(0),
    }


ROWS = (
    Row(
        "B1",
        "200 generated files of 12 classes: all refused or loaded identically, 2 s and 512 MiB each, one typed error",
        missing("there is no corpus of that size; each reader's own tests hold files of these classes"),
    ),
    Row("B2", "a fuzzer on every parser, 10 minutes: 0 escapes", missing("no fuzzer is set up")),
    Row(
        "B3",
        "nothing outside one audited module can run code from a file: 0 hits in the syntax trees",
        no_code_from_files,
    ),
    Row("B4", "valid files of every kind still load: 100 %", valid_files_load),
)
