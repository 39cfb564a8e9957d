"""Self-reenactment: drive a generator with its own person's unseen frames and compare with the plate.

The protocol of Deep Video Portraits, section 7: train on the first two thirds of a clip, measure on the last. The
nearest training frame stands beside the generator in the same report, measured on the same frames.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.evaluate.metrics import distance_image
from dvp_core.evaluate.nearest import nearest_training_frames
from dvp_core.evaluate.page import PictureRow, write_page
from dvp_core.evaluate.scores import Scores, Tally
from dvp_core.face.evaluation import landmarks_68
from dvp_core.face.posing import pose_vertices
from dvp_core.generator import Generator, PlateCrops, synthesise
from dvp_core.maths.projection import project

STAGE = "evaluation"
_MOUTH = slice(48, 68)
_MOUTH_MARGIN = 0.3
_PICTURE_ROWS = 6


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        frames: The frames compared.
        training_frame_count: How many frames the baseline could choose from.
        generator: Scores of the generator.
        nearest: Scores of the nearest training frame.
        inference_ms: Median time to paint a frame, passes already read.
        parameters: Number of the network's weights.
        training: The generator's own record of its training.
    """

    frames: FrameRange
    training_frame_count: int
    generator: Scores
    nearest: Scores
    inference_ms: float
    parameters: int
    training: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        content = asdict(self)
        content["frames"] = str(self.frames)
        return content


def hold_out_frames(take: Take) -> FrameRange:
    """Return the tracked frames of the take's last third."""
    start = take.clip.hold_out_start
    indices = start + np.flatnonzero(take.is_tracked[start:])
    return FrameRange.of(int(index) + take.clip.start_frame for index in indices)


def evaluate_take(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    generator: Generator,
    output: Path | str,
    *,
    frames: FrameRange | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Compare a generator and the nearest training frame with the plate; write `report.json`, `.png` and `.html`.

    Args:
        take: The take that drives; its last third must have been held out in training where `frames` is not given.
        passes: Its conditioning passes.
        plate_crops: Gives the plate's crop of a frame.
        generator: Trained on the same person.
        output: Folder for the report.
        frames: Frames to compare; the tracked ones of the last third where not given.
        progress: Told after every frame.

    Raises:
        DataError: No frames to compare or to choose from, or inputs that do not fit each other.
    """
    wanted = hold_out_frames(take) if frames is None else frames
    training = _training_indices(take, generator, wanted)
    tallies = Tally(), Tally()
    rows: list[PictureRow] = []
    seconds: list[float] = []
    picked = set(np.linspace(0, len(wanted) - 1, _PICTURE_ROWS).round().astype(int))
    comparisons = _comparisons(take, passes, plate_crops, generator, wanted, training)
    for count, (frame, plate, made, stand_in, elapsed_s) in enumerate(comparisons):
        head, mouth = passes.read(frame).mask > 0, mouth_mask(take, take.index_of(frame))
        for tally, image in zip(tallies, (made, stand_in), strict=True):
            tally.add(frame, image, plate, head, mouth)
        seconds.append(elapsed_s)
        if count in picked:
            rows.append(PictureRow(frame, plate, stand_in, made, distance_image(made, plate)))
        progress(STAGE, count + 1, len(wanted))
    report = Report(
        frames=wanted,
        training_frame_count=len(training),
        generator=tallies[0].scores(),
        nearest=tallies[1].scores(),
        inference_ms=1000 * float(np.median(seconds)),
        parameters=generator.parameter_count,
        training=generator.facts.record,
    )
    write_bytes_atomically(Path(output) / "report.json", canonical_json(report.as_json()))
    write_page(Path(output), rows, {"generator": report.generator, "nearest training frame": report.nearest})
    return report


def _comparisons(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    generator: Generator,
    wanted: FrameRange,
    training: np.ndarray,
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, float]]:
    """Yield frame, plate, the generator's picture, the nearest training frame's, and the seconds it took."""
    indices = np.array([take.index_of(frame) for frame in wanted])
    stand_ins = nearest_training_frames(take, training, indices) + take.clip.start_frame
    frames = synthesise(generator, passes, wanted)
    for stand_in in stand_ins:
        started_s = time.perf_counter()
        frame, made = next(frames)
        elapsed_s = time.perf_counter() - started_s
        yield frame, plate_crops(frame), made, plate_crops(int(stand_in)), elapsed_s


def _training_indices(take: Take, generator: Generator, wanted: FrameRange) -> np.ndarray:
    if not len(wanted):
        raise DataError("holds no tracked frame to compare", where=f"take '{take.subject}'")
    start = take.clip.hold_out_start
    is_training = take.is_tracked.copy()
    is_training[start:] = False
    is_training[[take.index_of(frame) for frame in wanted]] = False
    if not is_training.any():
        raise DataError("has no tracked training frame left", where=f"take '{take.subject}'")
    options = generator.facts.record.get("options", {})
    has_seen = take.clip.sha256 in generator.facts.clips_sha256 and options.get("hold_out") != "last-third"
    if has_seen and take.index_of(wanted.last) >= start:
        raise DataError(
            "was trained on the frames to compare, which would flatter it",
            where="generator",
            remedy="Train it with --hold-out last-third",
        )
    return np.flatnonzero(is_training)


def mouth_mask(take: Take, index: int) -> np.ndarray:
    """Return the mouth's rectangle of a frame as a mask (R, R) of the crop."""
    size = take.crop.resolution_px
    mask = np.zeros((size, size), dtype=bool)
    if take.face is None:
        return mask
    landmarks_camera = landmarks_68(take.face, pose_vertices(take, index))[_MOUTH]
    points = project(landmarks_camera, take.crop.crop_camera(take.camera))
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MOUTH_MARGIN * (high - low).max()
    left, top = np.clip(np.floor(low - margin), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(high + margin), 0, size).astype(int)
    mask[top:bottom, left:right] = True
    return mask
