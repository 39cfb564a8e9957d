"""Frames to the composed, labelled movie: generated squares set into their plates, with the plate's sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.compose import compose_frame
from dvp_core.data.clip import FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.passes import PassFolder, RenderedPasses
from dvp_core.pipeline.consent import admitted
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.render_frames import frame_path
from dvp_core.pipeline.watermark import mark_for, marked
from dvp_core.trust import Label, Mark, PublishedMovie, Work, publish_movie
from dvp_core.video import (
    DEFAULT_IMAGE_FPS,
    ImageSource,
    MovieSource,
    PlateSound,
    dubbed_sound,
    open_clip,
    plate_sound,
    read_image,
)

STAGE = "compose"


@dataclass(frozen=True)
class Squares:
    """Generated frames on disk.

    Attributes:
        template: Their path with one run of `#`.
        frames: Their plate numbers.
    """

    template: Path
    frames: FrameRange

    def read(self, frame: int) -> np.ndarray:
        """Return one generated square, (R, R, 3) uint8."""
        return read_image(frame_path(self.template, frame))


@dataclass(frozen=True)
class Composition:
    """What a shot is composed from.

    Attributes:
        frames: Folder of `frame.####.png`.
        passes: Folder of the passes the frames were generated from.
        plate: The clip.
        unedited: The performance as tracked, a `*.take` or the folder of its passes: what the edit leaves alone stays
            the plate's own.
        face_model: The model that take was tracked with, where it carries no face of its own.
        consent: Consent record, which must allow it; named in the label.
        sound: What is heard instead of the plate's own sound, from the plate's first frame on.
    """

    frames: Path
    passes: Path
    plate: Path
    unedited: Path | None = None
    face_model: Path | None = None
    consent: Path | None = None
    sound: Path | None = None

    @property
    def template(self) -> Path:
        """Path of the frames with one run of `#`."""
        return self.frames / "frame.####.png"


def make_movie(
    template: Path | str,
    output: Path | str,
    *,
    frames: FrameRange,
    passes: Path | str | None = None,
    unedited: Path | str | None = None,
    face_model: Path | str | None = None,
    plate: Path | str | None = None,
    fps: Fraction | None = None,
    consent: Path | str | None = None,
    sound: Path | str | None = None,
    progress: Progress = no_progress,
) -> PublishedMovie:
    """Publish the movie of a rendered shot.

    With plate and passes the squares are set into the plate; with a plate alone the bare squares get its sound and
    rate; with neither they run at `fps`. What the network painted carries the invisible mark.

    Args:
        template: Path of the generated frames with one run of `#`.
        output: Final name: .mp4, .mov or .mkv.
        frames: Plate frames to show.
        passes: Folder of the passes the frames were generated from.
        unedited: The performance as tracked, a `*.take` or the folder of its passes: what the edit leaves alone stays
            the plate's own.
        face_model: The model that take was tracked with, where it carries no face of its own.
        plate: The clip, for its pictures, sound and rate.
        fps: Rate of the movie; the plate's where there is one.
        consent: Consent record, which must allow it; named in the label.
        sound: Sound file or movie that is heard instead of the plate's own sound; it begins with the plate's first
            frame. Needs the plate.
        progress: Told after every frame.

    Raises:
        DataError: Frames outside the clip, a sound without a plate or under frames with gaps, or a file that cannot
            be read.
    """
    squares = Squares(Path(template), frames)
    source = None if plate is None else open_clip(plate, fps=fps)
    plate_sha256 = None if source is None else source.clip.sha256
    record = admitted(consent, Work("compose", clips_sha256=() if plate_sha256 is None else (plate_sha256,)))
    mark = mark_for(record, plate_sha256)
    label = Label(
        is_plate_kept=source is not None and passes is not None,
        plate=Path(plate) if plate is not None and Path(plate).is_file() else None,
        consent_sha256=None if record is None else record.sha256,
        watermark_id=None if mark is None else mark.id,
    )
    bare = marked(_bare(squares), mark)
    if source is None:
        if sound is not None:
            raise DataError("there is no plate whose frames the sound goes with", where=sound, remedy="Give the plate")
        return publish_movie(output, _told(squares, bare, progress), fps=fps or DEFAULT_IMAGE_FPS, label=label)
    check_frames(frames, source)
    pictures = bare
    if passes is not None:
        before = None if unedited is None else unedited_passes(unedited, face_model=face_model)
        pictures = _composed(squares, source, PassFolder(passes), before, mark)
    return publish_movie(
        output,
        _told(squares, pictures, progress),
        fps=source.clip.fps,
        label=label,
        sound=_sound_of(source, frames, sound),
        pixel_aspect=source.clip.pixel_aspect,
    )


def _sound_of(source: MovieSource | ImageSource, frames: FrameRange, sound: Path | str | None) -> PlateSound | None:
    """Return what is heard: the given sound, else the plate's; nothing of the plate's where frames are left out."""
    is_continuous = frames == FrameRange.span(frames.first, frames.last)
    first_index = frames.first - source.clip.start_frame
    if sound is None:
        return plate_sound(source, first_index) if is_continuous else None
    if not is_continuous:
        raise DataError(
            f"frames {frames} have gaps, and no sound goes with these", where=sound, remedy="Render them all"
        )
    return dubbed_sound(sound, first_index, source.clip.fps)


def rendered_frames(folder: Path | str, name: str = "frame.####.png") -> FrameRange:
    """Return the numbers of the frames that stand in a folder.

    Raises:
        DataError: There are none.
    """
    prefix, suffix = name.split("#", 1)[0], name.rsplit("#", 1)[1]
    numbers = [
        path.name.removeprefix(prefix).removesuffix(suffix)
        for path in Path(folder).glob(f"{prefix}*{suffix}")
        if not path.name.startswith(".")
    ]
    if not any(number.isdigit() for number in numbers):
        raise DataError(f"holds no {name}", where=folder, remedy="Render the frames first")
    return FrameRange.of(int(number) for number in numbers if number.isdigit())


def compose_movie(inputs: Composition, output: Path | str, *, progress: Progress = no_progress) -> Path:
    """Set all frames of a folder into their plates and publish the movie; see `make_movie`."""
    movie = make_movie(
        inputs.template,
        output,
        frames=rendered_frames(inputs.frames),
        passes=inputs.passes,
        unedited=inputs.unedited,
        face_model=inputs.face_model,
        plate=inputs.plate,
        consent=inputs.consent,
        sound=inputs.sound,
        progress=progress,
    )
    return movie.path


def unedited_passes(path: Path | str, *, face_model: Path | str | None = None) -> PassSource:
    """Return the passes of the tracked performance, drawn as they are asked for where the path is a take's.

    Raises:
        DataError: The take cannot be read, or its face is missing.
    """
    if Path(path).is_dir():
        return PassFolder(path)
    return RenderedPasses(load_take(path, face_model=face_model))


def check_frames(frames: FrameRange, source: FrameSource) -> None:
    """Refuse frames that a clip does not have.

    Raises:
        DataError: The first of them.
    """
    outside = [frame for frame in frames if frame not in source.clip.frames]
    if outside:
        raise DataError(f"frame {outside[0]} lies outside the clip's {source.clip.frames}", where=source.clip.file_name)


def _told(squares: Squares, pictures: Iterator[np.ndarray], progress: Progress) -> Iterator[np.ndarray]:
    for done, picture in enumerate(pictures, start=1):
        yield picture
        progress(STAGE, done, len(squares.frames))


def _bare(squares: Squares) -> Iterator[np.ndarray]:
    for frame in squares.frames:
        yield squares.read(frame)


def _composed(
    squares: Squares, source: FrameSource, passes: PassSource, unedited: PassSource | None, mark: Mark | None
) -> Iterator[np.ndarray]:
    for frame in squares.frames:
        pass_frame = passes.read(frame)
        plate = source.read(frame - source.clip.start_frame)
        before = None if unedited is None else unedited.read(frame)
        yield compose_frame(plate, squares.read(frame), pass_frame, pass_frame.crop, unedited=before, mark=mark)
