"""Passes and a generator in, published frames out: the one renderer behind `dvp render`, the farm and Blender's button.

A file that carries its frame's key (see `frame_keys`) is never rendered again, so an interrupted shot goes on where it
stopped, however it was cut into chunks and wherever the parts ran. Movies, contact sheets and lists are made
elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.render_settings import RenderSettings
from dvp_core.pipeline.frame_keys import CachedPasses, FrameKeys, FrameRecord, frame_path, standing_frame

if TYPE_CHECKING:  # torch and the label's library are loaded by whoever renders, not by a farm head that only counts
    from dvp_core.generator import Generator


@dataclass(frozen=True)
class Shot:
    """What rendering a shot needs, opened once: its passes and the generator with the hash of its file."""

    passes: CachedPasses
    generator: Generator
    generator_sha256: str

    @property
    def keys(self) -> FrameKeys:
        """What tells the frames' keys."""
        generator = self.generator
        window = generator.facts.config.window
        return FrameKeys(self.passes, window, self.generator_sha256, generator.device.type, generator.settings)

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
    """Return the hash of all that the frame's pixels depend on; see `FrameKeys.key`."""
    return shot.keys.key(frame)


def missing_passes(passes: Path | str, frames: FrameRange) -> FrameRange:
    """Return those of `frames` that a folder of passes does not hold; no file is opened."""
    from dvp_core.passes import PassFolder

    present = PassFolder(passes).frames
    return FrameRange.of(frame for frame in frames if frame not in present)


def render_frames(
    shot: Shot,
    frames: Sequence[int],
    *,
    output: Path | str,
    anew: Set[int] = frozenset(),
    before_publish: Callable[[], None] = lambda: None,
) -> Iterator[FrameRecord]:
    """Yield a record for each frame once its file stands; a frame whose file carries its key is not rendered again.

    Args:
        shot: The opened shot.
        frames: Plate frame numbers, in the order in which they shall be done.
        output: Template of the files, with one run of `#`.
        anew: Frames to be rendered though their files stand.
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
    kept = [frame for frame in frames if frame not in anew]
    reused = [record for frame in kept if (record := standing_frame(shot.keys, frame, output))]
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
