# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a job before it is sent: one function from facts to problems, each with its remedy.

Nothing of Blender is imported or changed here; `submit_facts` gathers the facts. Files are looked at, never written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.coverage import GUESSED, Coverage, Excess, excesses, parameter_names, unseen
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.generator_header import SUFFIX, GeneratorHeader, read_generator_header
from dvp_core.data.passes import WINDOW_FRAMES
from dvp_core.data.take import Take
from dvp_core.edit.channels import parameter_regions
from dvp_core.passes.exr_header import read_exr_header
from dvp_core.passes.folder import PassFolder, pass_path

_MOST_POSES_NAMED = 6
_EXPORT = "Press Export Passes"


@dataclass(frozen=True)
class Problem:
    """Something that keeps a job from being sent, or that the animator should know first.

    Attributes:
        where: The field, file or part of the scene.
        what: What is wrong with it.
        remedy: What to do.
        is_warning: The job may be sent in spite of it, when the animator says so.
    """

    where: str
    what: str
    remedy: str
    is_warning: bool = False

    @classmethod
    def of_error(cls, error: DataError, *, where: str = "", remedy: str = "") -> Problem:
        """Return the problem that an error tells of; `where` and `remedy` fill in what it leaves out."""
        return cls(error.where or where, error.what, error.remedy or remedy)

    @property
    def sentence(self) -> str:
        """Where and what, for people."""
        return f"{self.where}: {self.what}"

    def as_error(self) -> DataError:
        """Return it as the error with which an operator refuses."""
        return DataError(self.what, where=self.where, remedy=self.remedy)


@dataclass(frozen=True)
class Submission:
    """What the checks look at.

    Attributes:
        blend_path: Of the file; empty where it was never saved.
        refused: What could not even be gathered: no rig, a lost take, an empty field, a path outside the shared folder.
        take: The rig's take, as shown.
        frames: The frames asked for, whether the take has them or not; None where the field is no list of frames.
        passes: Their folder; None, like the next three, where this machine cannot look there.
        generator: Its file.
        plate: The clip.
        consent: The consent record.
    """

    blend_path: str
    refused: tuple[DataError, ...]
    take: Take | None
    frames: FrameRange | None
    passes: Path | None
    generator: Path | None
    plate: Path | None
    consent: Path | None


def problems_of(submission: Submission) -> tuple[Problem, ...]:
    """Return everything that keeps a job from being sent, in the order in which it is best mended."""
    found = [
        *_unsaved_file(submission.blend_path),
        *(Problem.of_error(error, where="The scene") for error in submission.refused),
        *_frames_outside(submission.take, submission.frames),
        *_generator_problems(submission.generator, submission.take),
        *_passes_problems(submission),
        *_missing_file("Plate", submission.plate, remedy="Choose the clip that was tracked, or leave the field empty"),
        *_missing_file("Consent", submission.consent, remedy="Choose the record, or make one with `dvp consent`"),
    ]
    return tuple(dict.fromkeys(found))


def _unsaved_file(blend_path: str) -> Iterator[Problem]:
    if not blend_path:
        yield Problem(
            "This file",
            "was never saved, so the job could not be found again from it",
            "Save it (File > Save), then submit",
        )


def _frames_outside(take: Take | None, frames: FrameRange | None) -> Iterator[Problem]:
    if take is None or frames is None:
        return
    outside = FrameRange.of(frame for frame in frames if frame not in take.frames)
    if len(outside):
        yield Problem(
            "Frames", f"not on the plate: {_short(outside)}", f"The plate has {take.frames}; name frames of these"
        )
    elif not len(frames):
        yield Problem("Frames", "no frame of the plate is named", f"The plate has {take.frames}; name frames of these")


def _generator_problems(path: Path | None, take: Take | None) -> Iterator[Problem]:
    if path is None:
        return
    if path.suffix != SUFFIX:
        yield Problem("Generator", f"'{path.name}' is no *{SUFFIX}", "Choose a file that `dvp train` wrote")
        return
    if not path.is_file():
        yield Problem("Generator", f"there is no file {path}", "Train one with `dvp train`, or choose where it lies")
        return
    try:
        header = read_generator_header(path)
    except DataError as error:
        yield Problem.of_error(error, where="Generator", remedy="Copy the file anew")
        return
    if take is not None:
        yield from _misfits(header, take)


def _misfits(header: GeneratorHeader, take: Take) -> Iterator[Problem]:
    if header.face_model_sha256 != take.face_model_sha256:
        yield Problem(
            "Generator",
            f"it was trained on takes of another face model ({header.face_model_sha256[:12]}) than this take's "
            f"('{take.face_model_id}', {take.face_model_sha256[:12]})",
            "Choose the generator of this person and model, or track the clip with the generator's model",
        )
    elif header.crop != take.crop:
        yield Problem(
            "Generator",
            f"it paints {_square(header.crop)} of the plate, and this take's passes show {_square(take.crop)}",
            "Choose the generator trained on this take, or make passes with `dvp passes TAKE --generator GENERATOR`",
        )


def _square(crop: object) -> str:
    return "{x_px},{y_px} {size_px} px at {resolution_px} px".format(**vars(crop))


def _passes_problems(submission: Submission) -> Iterator[Problem]:
    if submission.passes is None or not submission.frames:
        return
    try:
        present = PassFolder(submission.passes).frames
    except DataError as error:
        yield Problem("Passes", f"{submission.passes} {error.what}", _EXPORT)
        return
    needed = {frame - back for frame in submission.frames for back in range(WINDOW_FRAMES)}
    asked = set(submission.frames)
    missing = FrameRange.of(
        frame for frame in needed if frame not in present and (frame in asked or frame > present.first)
    )
    if len(missing):
        why = "" if asked & set(missing) else f" (each frame needs the {WINDOW_FRAMES - 1} before it)"
        yield Problem("Passes", f"missing in {submission.passes}: {_short(missing)}{why}", _EXPORT)
    elif submission.take is not None:
        yield from _foreign_passes(submission.passes, FrameRange.of(needed & set(present)), submission.take)


def _foreign_passes(folder: Path, frames: FrameRange, take: Take) -> Iterator[Problem]:
    foreign = []
    for frame in frames:
        try:
            parts = read_exr_header(pass_path(folder, frame))
        except DataError as error:
            yield Problem.of_error(error, where="Passes", remedy=_EXPORT)
            return
        if all(part.texts.get("dvp.take_sha256") != take.sha256 for part in parts):
            foreign.append(frame)
    if foreign:
        what = f"those of {_short(FrameRange.of(foreign))} show another take, or this one smoothed otherwise"
        yield Problem("Passes", what, f"{_EXPORT}, or accept the warnings", is_warning=True)


def _missing_file(label: str, path: Path | None, *, remedy: str) -> Iterator[Problem]:
    if path is not None and "#" not in path.name and not path.exists():
        yield Problem(label, f"there is no {path}", remedy)


def unseen_poses(coverage: Coverage, take: Take, frames: FrameRange, values: np.ndarray) -> tuple[Problem, ...]:
    """Return a warning for every control that goes where the generator has never seen it, and for new combinations.

    Args:
        coverage: What the generator has seen.
        take: Names the expressions.
        frames: F frames.
        values: (F, P) as `parameter_values` gives them.
    """
    names = parameter_names(take.expression_names)
    found = excesses(coverage, frames.numbers, names, values)
    named = [_unseen(excess) for excess in found[:_MOST_POSES_NAMED]]
    if len(found) > len(named):
        others = FrameRange.of(frame for excess in found[_MOST_POSES_NAMED:] for frame in excess.frames)
        what = f"{len(found) - len(named)} further controls leave what was seen, at {_short(others)}"
        named.append(Problem("Poses", what, "Mend those named first, then check again", is_warning=True))
    regions = parameter_regions(names)
    told = {region for region, members in regions.items() if {excess.name for excess in found} & set(members)}
    untold = {region: members for region, members in regions.items() if region not in told}
    return (*named, *_new_combinations(coverage, frames, names, values, untold))


def _new_combinations(
    coverage: Coverage,
    frames: FrameRange,
    names: Sequence[str],
    values: np.ndarray,
    regions: Mapping[str, Sequence[str]],
) -> Iterator[Problem]:
    """Yield a warning for regions that are far from every pose seen, though each of their controls is in its range."""
    for region, distances in unseen(coverage, names, values, regions).items():
        guessed = FrameRange.of(frames.numbers[index] for index in np.flatnonzero(distances > GUESSED))
        if len(guessed):
            yield Problem(
                "Poses",
                f"the generator has seen no such combination of the {region}'s controls as at {_short(guessed)} "
                f"(worst at frame {frames.numbers[int(distances.argmax())]})",
                "Come nearer to what was filmed, train with footage that shows it, or accept the warnings",
                is_warning=True,
            )


def _unseen(excess: Excess) -> Problem:
    name, scale, unit = _told(excess.name)
    value, low, high = (f"{number * scale:.{0 if unit == ' deg' else 2}f}" for number in _numbers(excess))
    return Problem(
        "Poses",
        f"{name} is {value}{unit} at frame {excess.worst_frame}; the generator has seen {low} to {high}{unit} "
        f"(outside: {_short(excess.frames)})",
        "Turn it down, train with footage that shows it, or accept the warnings",
        is_warning=True,
    )


def _numbers(excess: Excess) -> tuple[float, float, float]:
    return excess.value, excess.lowest, excess.highest


def _told(name: str) -> tuple[str, float, str]:
    """Return a parameter's name for people, what to multiply its value by, and the unit."""
    if name.endswith("_rad"):
        return name.removesuffix("_rad").replace(".", " ").replace("_", " "), 180 / math.pi, " deg"
    if name.endswith("_m"):
        return name.removesuffix("_m").replace(".", " "), 100.0, " cm"
    return name.removeprefix("expression."), 1.0, ""


def _short(frames: FrameRange) -> str:
    text = str(frames)
    if len(frames) == 1:
        return f"frame {text}"
    return f"frames {text}" if len(text) <= 40 else f"{len(frames)} frames from {frames.first} to {frames.last}"
