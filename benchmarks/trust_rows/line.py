"""A whole shot in miniature: a plate, a take, a generator after two steps, and every output of a default run."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.edit import Curve, Edit
from dvp_core.data.job import Job
from dvp_core.data.take import Take, write_take
from dvp_core.passes import PassFolder
from dvp_core.pipeline import demo
from dvp_core.pipeline.composed_frames import compose_shot
from dvp_core.pipeline.movie import Composition, compose_movie
from dvp_core.pipeline.passes import export_passes
from dvp_core.pipeline.preview import make_preview, open_preview
from dvp_core.pipeline.render import render_shot
from dvp_core.pipeline.review import overlay_movie
from dvp_core.pipeline.shot_files import ListedFrame, publish_contact_sheet, publish_job_files, publish_shot_movie
from dvp_core.pipeline.train import train_generator, train_options
from dvp_core.trust import ConsentTerms, Label, new_consent, publish_movie, write_consent
from dvp_core.video import open_clip
from tests.blender.small_take import small_take
from tools.source_rules import called, package_files, relative_name
from trust_rows.media import FPS, pictures

FIRST, COUNT = 1, 6


@dataclass(frozen=True)
class Line:
    """A shot that is ready to be published; names of people stand in its folder's and its plate's names."""

    folder: Path
    plate: Path
    take: Take

    @property
    def composition(self) -> Composition:
        """What it is composed from."""
        return Composition(self.folder / "frames", self.folder / "passes", self.plate, consent=self.consent)

    @property
    def consent(self) -> Path:
        """Its consent record."""
        return self.folder / "consent.json"


def make_plate(folder: Path) -> Path:
    """Make the plate alone, whose name is a person's."""
    plate = folder / "jane_doe.mp4"
    publish_movie(plate, pictures(COUNT, height_px=96, width_px=128), fps=FPS, label=Label(is_plate_kept=False))
    return plate


def make_line(folder: Path) -> Line:
    """Make plate, take, passes, generator and frames."""
    plate = make_plate(folder)
    take = replace(small_take(clip=open_clip(plate).clip), subject="subject-1", crop=Crop(16, 0, 96, 64))
    write_take(folder / "clip.take", take)
    write_consent(folder / "consent.json", new_consent(plate, ConsentTerms(uses=("Re-animate the mouth",))))
    export_passes(folder / "clip.take", folder / "passes")
    options = train_options(preset="fast", steps=2, batch_size=1, threads=1, least_frames=2, device="cpu")
    train_generator(folder / "clip.take", plate, folder / "g.safetensors", options=options, passes=folder / "passes")
    line = Line(folder, plate, take)
    render_shot(folder / "passes", folder / "g.safetensors", folder / "frames", consent=line.consent)
    return line


def _rendered(line: Line, output: Path) -> Path:
    render_shot(line.folder / "passes", line.folder / "g.safetensors", output, consent=line.consent)
    return output


def _job_files(line: Line, output: Path) -> Path:
    shutil.copytree(line.folder / "frames", output)
    template = output / "frame.####.png"
    records = render_shot(line.folder / "passes", line.folder / "g.safetensors", output, consent=line.consent)
    listed = [ListedFrame(record.frame, record.key, record.sha256, "w", 0.0) for record in records]
    job = Job("job", "shot", f"{FIRST}-{COUNT}", "in:passes", "in:g.safetensors", "out:frame.####.png")
    publish_job_files(job, listed, output=template, consent=line.consent)
    return output


def _contact_sheet(line: Line, output: Path) -> Path:
    shutil.copytree(line.folder / "frames", output)
    return publish_contact_sheet(range(FIRST, FIRST + COUNT), output=output / "frame.####.png", consent=line.consent)


def _shot_movie(line: Line, output: Path) -> Path:
    shutil.copytree(line.folder / "frames", output)
    return publish_shot_movie(
        range(FIRST, FIRST + COUNT),
        output=output / "frame.####.png",
        passes=line.folder / "passes",
        plate=line.plate,
        consent=line.consent,
    )


def _preview(line: Line, output: Path) -> Path:
    output.mkdir()
    painter = open_preview(line.folder / "g.safetensors", device="cpu")
    window = [PassFolder(line.folder / "passes").read(FIRST)]
    (output / "preview.png").write_bytes(make_preview(painter, window, consent=line.consent).png)
    return output / "preview.png"


def _overlay(line: Line, output: Path) -> Path:
    return overlay_movie(line.folder / "clip.take", line.plate, output / "overlay.mp4")


def _demo_sheet(line: Line, output: Path) -> Path:
    work = output / "work"
    work.mkdir(parents=True)
    (work / "edited_passes").symlink_to(line.folder / "passes")
    (work / "frames").symlink_to(line.folder / "frames")
    frames = tuple(np.linspace(FIRST, FIRST + COUNT - 1, 4).tolist())
    edit = Edit((Curve("expression.jawOpen", frames, (0.0, 0.5, 0.5, 0.0)),))
    demo._publish_contact_sheet(demo.DemoOptions(output, line.plate, consent=line.consent), line.take, edit)
    return output / "contact.png"


@dataclass(frozen=True)
class Writer:
    """One place in the program that gives an output to the one writer.

    Attributes:
        sites: File and function of the calls that are made when `run` is.
        run: Makes the output below a new folder and returns its path.
        source_type: Last term of the IPTC's that must stand in its label.
        has_plate: Whether the plate must be named there.
    """

    sites: tuple[str, ...]
    run: Callable[[Line, Path], Path]
    source_type: str
    has_plate: bool


_COMPOSITE, _TRAINED = "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"
_ROOM = "dvp_core/pipeline"
_SEQUENCE_SITES = (f"{_ROOM}/composed_frames.py:compose_frames", f"{_ROOM}/composed_frames.py:_compose")
_MOVIE_SITES = (f"{_ROOM}/movie.py:make_movie",)
WRITERS = {
    "rendered sequence": Writer(
        (f"{_ROOM}/render.py:render_shot", f"{_ROOM}/render_frames.py:_publish"), _rendered, _TRAINED, False
    ),
    "composed mp4": Writer(
        _MOVIE_SITES, lambda line, out: compose_movie(line.composition, out / "shot.mp4"), _COMPOSITE, True
    ),
    "composed mov": Writer(
        _MOVIE_SITES, lambda line, out: compose_movie(line.composition, out / "shot.mov"), _COMPOSITE, True
    ),
    "composed mkv": Writer(
        _MOVIE_SITES, lambda line, out: compose_movie(line.composition, out / "shot.mkv"), _COMPOSITE, True
    ),
    "composed png sequence": Writer(
        _SEQUENCE_SITES, lambda line, out: compose_shot(line.composition, out / "s.####.png").parent, _COMPOSITE, True
    ),
    "composed exr sequence": Writer(
        _SEQUENCE_SITES, lambda line, out: compose_shot(line.composition, out / "s.####.exr").parent, _COMPOSITE, True
    ),
    "farm's sequence": Writer((f"{_ROOM}/shot_files.py:publish_job_files",), _job_files, _TRAINED, False),
    "farm's contact sheet": Writer((f"{_ROOM}/shot_files.py:publish_contact_sheet",), _contact_sheet, _TRAINED, False),
    "farm's movie": Writer(_MOVIE_SITES, _shot_movie, _COMPOSITE, True),
    "preview": Writer((f"{_ROOM}/preview.py:_labelled",), _preview, _TRAINED, False),
    "overlay": Writer((f"{_ROOM}/review.py:overlay_movie",), _overlay, "composite", True),
    "demo's contact sheet": Writer((f"{_ROOM}/demo.py:_publish_contact_sheet",), _demo_sheet, _COMPOSITE, False),
}


def writing_sites() -> set[str]:
    """Return file and function of every call of a `publish_...` outside the trust room, from the source."""
    names = {"publish_frame", "publish_frame_list", "publish_layers", "publish_movie", "publish_still"}
    found = set()
    for path in package_files():
        if relative_name(path).startswith("dvp_core/trust/"):
            continue
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            if any(called(call)[1] in names for call in calls):
                found.add(f"{relative_name(path)}:{function.name}")
    return found
