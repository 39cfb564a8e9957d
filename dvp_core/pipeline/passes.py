"""Take to conditioning passes: one multilayer EXR a frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.passes import PassFolder, pass_path, read_pass_frame, render_passes, write_pass_frame
from dvp_core.pipeline.model import load_take

STAGE = "passes"


def export_passes(
    take_path: Path | str,
    output: Path | str,
    *,
    frames: FrameRange | None = None,
    face_model: Path | str | None = None,
    generator: Path | str | None = None,
    progress: Progress = no_progress,
) -> PassFolder:
    """Render a take's passes into a folder; frames already there from the same take are kept.

    Args:
        take_path: The `*.take`.
        output: Folder for `passes.####.exr`.
        frames: Plate frames to render; all of the take where not given.
        face_model: See `load_take`.
        generator: A generator whose crop is to be seen through, where the take was tracked through another.
        progress: Told after every frame.

    Raises:
        DataError: A frame lies outside the take, or the folder cannot be written.
    """
    take = load_take(take_path, face_model=face_model)
    if generator is not None:
        take = replace(take, crop=_crop_of(generator))
    return export_passes_of(take, output, frames=frames, progress=progress)


def _crop_of(generator: Path | str) -> Crop:
    from dvp_core.generator import load_generator  # brings torch, which passes alone need not wait for

    return load_generator(generator, device="cpu").facts.crop


def export_passes_of(
    take: Take, output: Path | str, *, frames: FrameRange | None = None, progress: Progress = no_progress
) -> PassFolder:
    """Render the passes of a take in memory; see `export_passes`."""
    wanted = take.frames if frames is None else frames
    if outside := [frame for frame in wanted if frame not in take.frames]:
        raise DataError(f"frame {outside[0]} lies outside the take's frames {take.frames}", where="frames")
    missing = FrameRange.of(frame for frame in wanted if not _is_current(pass_path(output, frame), take))
    done = len(wanted) - len(missing)
    progress(STAGE, done, len(wanted))
    for count, pass_frame in enumerate(render_passes(take, frames=missing), start=done + 1):
        write_pass_frame(pass_path(output, pass_frame.frame), pass_frame)
        progress(STAGE, count, len(wanted))
    return PassFolder(output)


def _is_current(path: Path, take: Take) -> bool:
    """Say whether a pass file is whole and was rendered from this very take."""
    if not path.is_file():
        return False
    try:
        return read_pass_frame(path).take_sha256 == take.sha256
    except DataError:
        return False
