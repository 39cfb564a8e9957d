"""Frames to a composed, labelled sequence: PNG as it is shown, or OpenEXR with the layers that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.compose import compose_frame, compose_layers
from dvp_core.data.clip import FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_arrays, sha256_of_bytes
from dvp_core.data.passes import PassFrame, PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.passes import PassFolder
from dvp_core.pipeline.consent import admitted_sha256
from dvp_core.pipeline.movie import (
    STAGE,
    Composition,
    Squares,
    check_frames,
    compose_movie,
    rendered_frames,
    unedited_passes,
)
from dvp_core.pipeline.render_frames import frame_path
from dvp_core.pipeline.watermark import mark_for
from dvp_core.trust import Label, Mark, Work, publish_frame, publish_frame_list, publish_layers, read_frame_key
from dvp_core.video import open_clip

COMPOSE_VERSION = 1
"""Raise it whenever equal inputs give other pixels."""
_SUFFIXES = (".png", ".exr")


@dataclass(frozen=True)
class _Shot:
    """All that a composed frame is made from."""

    squares: Squares
    passes: PassSource
    unedited: PassSource | None
    source: FrameSource
    mark: Mark | None


def compose_shot(inputs: Composition, output: Path | str, *, progress: Progress = no_progress) -> Path:
    """Compose a shot into a sequence where the output's name has a run of `#`, else into a movie; return its path."""
    compose = compose_frames if "#" in Path(output).name else compose_movie
    return compose(inputs, output, progress=progress)


def compose_frames(inputs: Composition, output: Path | str, *, progress: Progress = no_progress) -> Path:
    """Set all frames of a folder into their plates and publish them one by one; return their signed list.

    A frame that stands there, made from the same, is kept, so a run that was stopped goes on.

    Args:
        inputs: What the shot is composed from.
        output: Template of the files with one run of `#`, `.png` or `.exr` (see `compose_layers`).
        progress: Told after every frame.

    Raises:
        DataError: Another suffix, a sound, frames outside the clip, or inputs that do not fit each other.
    """
    if inputs.sound is not None:
        raise DataError(
            "a sequence of pictures has no sound", where=output, remedy="Name a movie, or leave --sound out"
        )
    if Path(output).suffix.lower() not in _SUFFIXES:
        raise DataError(
            "names no sequence that can be written", where=output, remedy="End it in .####.png or .####.exr"
        )
    frames = rendered_frames(inputs.frames)
    before = None if inputs.unedited is None else unedited_passes(inputs.unedited, face_model=inputs.face_model)
    source = open_clip(inputs.plate)
    check_frames(frames, source)
    hash_of_consent = admitted_sha256(inputs.consent, Work("compose", clips_sha256=(source.clip.sha256,)))
    mark = mark_for(inputs.consent, source.clip.sha256)
    shot = _Shot(Squares(inputs.template, frames), PassFolder(inputs.passes), before, source, mark)
    for done, frame in enumerate(frames, start=1):
        _compose(shot, frame, frame_path(output, frame))
        progress(STAGE, done, len(frames))
    label = Label(
        is_plate_kept=True,
        plate=inputs.plate if inputs.plate.is_file() else None,
        consent_sha256=hash_of_consent,
        watermark_id=None if mark is None else mark.id,
    )
    return publish_frame_list(Path(output).parent, [frame_path(output, frame) for frame in frames], label=label)


def _compose(shot: _Shot, frame: int, path: Path) -> None:
    """Publish one frame, unless it stands there already."""
    plate = shot.source.read(frame - shot.source.clip.start_frame)
    generated, pass_frame = shot.squares.read(frame), shot.passes.read(frame)
    before = None if shot.unedited is None else shot.unedited.read(frame)
    key = _key(plate, generated, pass_frame, before, shot.mark)
    if read_frame_key(path) == key:
        return
    crop, mark = pass_frame.crop, shot.mark
    if path.suffix.lower() == ".exr":
        layers = compose_layers(plate, generated, pass_frame, crop, unedited=before, mark=mark)
        publish_layers(path, layers, key=key)
    else:
        composed = compose_frame(plate, generated, pass_frame, crop, unedited=before, mark=mark)
        publish_frame(path, composed, key=key)


def _key(
    plate: np.ndarray, generated: np.ndarray, pass_frame: PassFrame, before: PassFrame | None, mark: Mark | None
) -> str:
    content = {
        "pictures": sha256_of_arrays({"plate": plate, "generated": generated}),
        "passes": pass_frame.content_sha256,
        "unedited": None if before is None else before.content_sha256,
        "compose_version": COMPOSE_VERSION,
        "mark": None if mark is None else mark.identity,
    }
    return sha256_of_bytes(canonical_json(content))
