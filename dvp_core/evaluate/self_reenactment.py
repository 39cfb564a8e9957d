"""Self-reenactment: drive a generator with its own person's unseen frames and compare with the plate.

The protocol of Deep Video Portraits, section 7: train on the first two thirds of a clip, measure on the last. The
nearest training frame stands beside the generator in the same report, measured on the same frames.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.passes import PassFrame, PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.evaluate.comparison import notes_of
from dvp_core.evaluate.gallery import GENERATOR, NEAREST, PLATE, Gallery, gallery_maker, write_gallery
from dvp_core.evaluate.nearest import nearest_training_frames
from dvp_core.evaluate.page import write_page
from dvp_core.evaluate.regions import mouth_mask
from dvp_core.evaluate.reports import PICTURES_FILE, REPORT_FILE, Report, generator_row, nearest_row
from dvp_core.evaluate.retracking import retracker
from dvp_core.evaluate.scores import Tally
from dvp_core.generator import Generator, PlateCrops, synthesise

STAGE = "evaluation"


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
    landmarks: LandmarkTrack | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Compare a generator and the nearest training frame with the plate; write the report and its pictures.

    Args:
        take: The take that drives; its last third must have been held out in training where `frames` is not given.
        passes: Its conditioning passes.
        plate_crops: Gives the plate's crop of a frame.
        generator: Trained on the same person.
        output: Folder for `report.json`, `.png`, `.html`, and `pictures.npz`, of which a comparison is made.
        frames: Frames to compare; the tracked ones of the last third where not given.
        landmarks: The points that the take was tracked from; with them the pictures are tracked again.
        progress: Told after every frame.

    Raises:
        DataError: No frames to compare or to choose from, or inputs that do not fit each other.
    """
    wanted = hold_out_frames(take) if frames is None else frames
    training = _training_indices(take, generator, wanted)
    tallies = {GENERATOR: Tally(), NEAREST: Tally()}
    pictures = gallery_maker(take, wanted)
    again = retracker(take, landmarks, wanted)
    seconds: list[float] = []
    comparisons = _comparisons(take, passes, plate_crops, generator, wanted, training)
    for count, (frame, plate, made, stand_in, elapsed_s) in enumerate(comparisons):
        head, mouth = passes.read(frame).mask > 0, mouth_mask(take, take.index_of(frame))
        shown = {PLATE: plate, NEAREST: stand_in, GENERATOR: made}
        for way, tally in tallies.items():
            tally.add(frame, shown[way], plate, head, mouth)
        pictures.add(frame, shown)
        again.add(frame, shown)
        seconds.append(elapsed_s)
        progress(STAGE, count + 1, len(wanted))
    errors = again.errors(PLATE, progress)
    report = Report(
        frames=wanted,
        training_frame_count=len(training),
        generator=tallies[GENERATOR].scores(),
        nearest=tallies[NEAREST].scores(),
        inference_ms=1000 * float(np.median(seconds)),
        parameters=generator.parameter_count,
        training=generator.facts.record,
        generator_retracked=errors.get(GENERATOR),
        nearest_retracked=errors.get(NEAREST),
    )
    _write(Path(output), report, pictures.gallery())
    return report


def _write(folder: Path, report: Report, gallery: Gallery) -> None:
    """Write all that is known of an evaluation; the report stands last, as the sign that all is there."""
    rows = {GENERATOR: generator_row(report), NEAREST: nearest_row(report)}
    write_gallery(folder / PICTURES_FILE, gallery)
    write_page(folder, "report", title="Self-reenactment", rows=rows, gallery=gallery, notes=notes_of(report))
    write_bytes_atomically(folder / REPORT_FILE, canonical_json(report.as_json()))


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
    kept = _LatestKept(passes)
    frames = synthesise(generator, kept, wanted)
    for frame, stand_in in zip(wanted, stand_ins, strict=True):
        kept.read(frame)
        started_s = time.perf_counter()
        _, made = next(frames)
        elapsed_s = time.perf_counter() - started_s
        yield frame, plate_crops(frame), made, plate_crops(int(stand_in)), elapsed_s


@dataclass
class _LatestKept:
    """Keeps the latest passes, so that painting is timed without reading them."""

    source: PassSource
    latest: PassFrame | None = None

    @property
    def frames(self) -> FrameRange:
        """The frames that can be read."""
        return self.source.frames

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes."""
        if self.latest is None or self.latest.frame != frame:
            self.latest = self.source.read(frame)
        return self.latest


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
