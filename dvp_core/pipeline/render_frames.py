"""Passes and a generator in, published frames out: the one renderer behind `dvp render`, the farm and Blender's button.

A frame's key is the hash of everything its pixels depend on: its window of passes, the generator, the code, the device,
the settings and its number. A file that carries its key is never rendered again, so an interrupted shot goes on where
it stopped, however it was cut into chunks and wherever the parts ran. Movies, contact sheets and lists are made
elsewhere.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_bytes, sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame, PassSource
from dvp_core.data.render_settings import RenderSettings

if TYPE_CHECKING:  # torch and the label's library are loaded by whoever renders, not by a farm head that only counts
    from dvp_core.generator import Generator

RENDER_VERSION = 3
"""Raise it whenever equal inputs give other pixels: every frame gets another key then."""


@dataclass(frozen=True)
class FrameRecord:
    """One finished frame.

    Attributes:
        frame: Plate frame number.
        key: Hash of all that the pixels depend on.
        sha256: Hash of the published file.
        seconds: Its share of its batch's time, and its publishing; 0 where the file was already there.
        is_reused: Whether the file was already there with the right key.
    """

    frame: int
    key: str
    sha256: str
    seconds: float
    is_reused: bool


@dataclass(frozen=True)
class CachedPasses:
    """A pass source that keeps the frames read last, so that a frame's key and its window decode no file twice.

    Attributes:
        source: Where frames come from.
        limit: How many frames are kept.
        kept: Those frames, the latest read last.
        hashes: Content hashes of all frames read.
    """

    source: PassSource
    limit: int
    kept: OrderedDict[int, PassFrame] = field(default_factory=OrderedDict)
    hashes: dict[int, str] = field(default_factory=dict)

    @property
    def frames(self) -> FrameRange:
        """The frames that can be read."""
        return self.source.frames

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes, from memory where it was read lately."""
        if frame not in self.kept:
            self.kept[frame] = self.source.read(frame)
        self.kept.move_to_end(frame)
        while len(self.kept) > self.limit:
            self.kept.popitem(last=False)
        return self.kept[frame]

    def content_sha256(self, frame: int) -> str:
        """Return the hash of one frame's decoded channels."""
        if frame not in self.hashes:
            self.hashes[frame] = self.read(frame).content_sha256
        return self.hashes[frame]


@dataclass(frozen=True)
class Shot:
    """What rendering a shot needs, opened once: its passes and the generator with the hash of its file."""

    passes: CachedPasses
    generator: Generator
    generator_sha256: str

    def reopened(self, passes: Path | str) -> Shot:
        """Return the shot of another folder of passes, or of the same one read anew, with the generator as loaded."""
        return replace(self, passes=_cached(passes, self.generator))


def open_shot(
    passes: Path | str, generator: Path | str, *, device: str = "cpu", settings: RenderSettings | None = None
) -> Shot:
    """Return the opened shot of a folder of passes and a generator's file.

    Args:
        passes: Folder of pass files.
        generator: The `*.safetensors`.
        device: "cpu" or "cuda".
        settings: Those that stand in the frames' folder (`settled_settings`); the reference's where not given.

    Raises:
        DataError: No passes there, or no generator that can be trusted.
    """
    from dvp_core.generator import load_generator

    loaded = load_generator(generator, device=device, settings=settings)
    return Shot(_cached(passes, loaded), loaded, sha256_of_file(generator))


def _cached(passes: Path | str, generator: Generator) -> CachedPasses:
    from dvp_core.passes import PassFolder

    return CachedPasses(PassFolder(passes), limit=generator.facts.config.window + generator.settings.batch_size)


def frame_key(shot: Shot, frame: int) -> str:
    """Return the hash of all that the frame's pixels depend on.

    Raises:
        DataError: A frame of the window is missing or damaged.
    """
    from dvp_core.generator.windows import window_frames

    window = window_frames(frame, shot.passes.frames, shot.generator.facts.config.window)
    content = {
        "window": [shot.passes.content_sha256(number) for number in window],
        "generator": shot.generator_sha256,
        "render_version": RENDER_VERSION,
        "device": shot.generator.device.type,
        "settings": asdict(shot.generator.settings),
        "frame": frame,
    }
    return sha256_of_bytes(canonical_json(content))


def missing_passes(passes: Path | str, frames: FrameRange) -> FrameRange:
    """Return those of `frames` that a folder of passes does not hold; no file is opened."""
    from dvp_core.passes import PassFolder

    present = PassFolder(passes).frames
    return FrameRange.of(frame for frame in frames if frame not in present)


def frame_path(template: Path | str, frame: int) -> Path:
    """Return the path of one frame: the template's run of `#` replaced by the zero-padded number."""
    folder, name = Path(template).parent, Path(template).name
    runs = re.findall(r"#+", name)
    if len(runs) != 1:
        raise DataError(
            "needs one run of # in its last part for the frame number",
            where=template,
            remedy="write for example frames/frame.####.png",
        )
    return folder / name.replace(runs[0], f"{frame:0{len(runs[0])}d}")


def render_frames(
    shot: Shot, frames: Sequence[int], *, output: Path | str, before_publish: Callable[[], None] = lambda: None
) -> Iterator[FrameRecord]:
    """Yield a record for each frame once its file stands; a frame whose file carries its key is not rendered again.

    Args:
        shot: The opened shot.
        frames: Plate frame numbers, in the order in which they shall be done.
        output: Template of the files, with one run of `#`.
        before_publish: Called before each file is written; raises where it may not be.

    Raises:
        DataError: A frame is not among the passes, or a file cannot be read or written.
    """
    for frame in frames:
        if frame not in shot.passes.frames:
            raise DataError(
                f"frame {frame} is not among the passes ({shot.passes.frames})",
                remedy="export its passes, or ask for frames that are there",
            )
    reused = [record for frame in frames if (record := _published(shot, frame, frame_path(output, frame)))]
    yield from reused
    done = {record.frame for record in reused}
    for run in _ascending_runs([frame for frame in frames if frame not in done]):
        yield from _render_run(shot, run, output, before_publish)


def _render_run(
    shot: Shot, run: FrameRange, output: Path | str, before_publish: Callable[[], None]
) -> Iterator[FrameRecord]:
    from dvp_core.generator import synthesise_batches

    started_s = time.monotonic()
    for batch in synthesise_batches(shot.generator, shot.passes, run):
        share_s = (time.monotonic() - started_s) / len(batch)
        for frame, image in batch:
            before_publish()
            yield _publish(shot, frame, image, frame_path(output, frame), share_s)
        started_s = time.monotonic()


def _publish(shot: Shot, frame: int, image: np.ndarray, path: Path, share_s: float) -> FrameRecord:
    from dvp_core.trust import publish_frame

    started_s = time.monotonic()
    key = frame_key(shot, frame)
    publish_frame(path, image, key=key)
    return FrameRecord(frame, key, sha256_of_file(path), share_s + time.monotonic() - started_s, is_reused=False)


def _published(shot: Shot, frame: int, path: Path) -> FrameRecord | None:
    """Return the record of a frame whose file is whole and carries the frame's key, else None."""
    from dvp_core.trust import read_frame_key

    if not path.exists():
        return None
    key = frame_key(shot, frame)
    if read_frame_key(path) != key:
        return None
    return FrameRecord(frame, key, sha256_of_file(path), 0.0, is_reused=True)


def _ascending_runs(frames: Sequence[int]) -> Iterator[FrameRange]:
    """Cut frames in any order into ranges, each ascending, that keep the order."""
    run: list[int] = []
    for frame in frames:
        if run and frame <= run[-1]:
            yield FrameRange(tuple(run))
            run = []
        run.append(frame)
    if run:
        yield FrameRange(tuple(run))
