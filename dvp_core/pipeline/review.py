"""What a person looks at after tracking: what is doubtful in a few lines, the overlay movie, the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.clip import FrameSource
from dvp_core.data.doubt import Doubt, doubtful_frames, gravest_first
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.edit import find_doubts
from dvp_core.pipeline import recipe
from dvp_core.pipeline.clips import cut_to_take
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.plate import corrected_points, corrected_source, correction_of, correction_settings
from dvp_core.pipeline.track import given_points
from dvp_core.review import (
    FramePicture,
    Overlay,
    drawn_frame,
    drawn_plate,
    frames_to_show,
    overlay_of,
    report_page,
    resized,
)
from dvp_core.trust import Label, publish_movie
from dvp_core.video import EncodeOptions, open_clip

OVERLAY_STAGE, REPORT_STAGE = "overlay", "report"
REPORT_NAME = "index.html"
OVERLAY_ENCODING = EncodeOptions(crf=20, preset="veryfast")
_MOST_LINES = 8


@dataclass(frozen=True)
class TrackedClip:
    """A take beside the pictures and points it came from.

    Attributes:
        take: With its face.
        source: Its frames, as the tracker saw them.
        points: The detector's points of its frames, where a file was given.
        doubts: What is doubtful in it.
        plate: What was done to the plate, for a recipe.
    """

    take: Take
    source: FrameSource
    points: LandmarkTrack | None
    doubts: tuple[Doubt, ...]
    plate: dict[str, object] | None

    @property
    def overlay(self) -> Overlay:
        """What draws its frames."""
        return overlay_of(self.take, self.doubts, self.points)


def open_tracked_clip(
    take: Path | str,
    clip: Path | str,
    *,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    lens: Path | str | None = None,
    pixel_aspect: Fraction | None = None,
) -> TrackedClip:
    """Return a take together with its clip's pictures.

    Args:
        take: The `*.take`.
        clip: The clip it was tracked from.
        landmarks: A `*.landmarks.npz` of that clip, as filmed.
        face_model: See `load_take`.
        lens: The lens file, where the take is one of the undistorted plate.
        pixel_aspect: Likewise.

    Raises:
        DataError: The files do not belong together.
    """
    tracked = load_take(take, face_model=face_model)
    whole = open_clip(clip, fps=tracked.clip.fps)
    correction = correction_of(whole.clip, lens, pixel_aspect)
    source = cut_to_take(tracked, corrected_source(whole, correction), clip)
    points = given_points(whole, landmarks)
    if points is not None:
        start = tracked.clip.start_frame - whole.clip.start_frame
        points = corrected_points(points, correction).part(start, start + tracked.frame_count)
    return TrackedClip(tracked, source, points, find_doubts(tracked), correction_settings(correction))


def overlay_movie(
    take: Path | str,
    clip: Path | str,
    output: Path | str,
    *,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    lens: Path | str | None = None,
    pixel_aspect: Fraction | None = None,
    frames: FrameRange | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Publish a movie of the plate with the tracked face drawn over it; one that is fresh stays.

    Memory holds one frame at a time. Stopped half-way, nothing of it stays.

    Args:
        take: The `*.take`.
        clip: The clip it was tracked from.
        output: Final name: .mp4, .mov or .mkv.
        landmarks: See `open_tracked_clip`, as for the next three.
        face_model: See there.
        lens: See there.
        pixel_aspect: See there.
        frames: A run of plate frames; all of the take where not given.
        progress: Told after every frame.

    Raises:
        DataError: The files do not belong together, or the movie cannot be written.
    """
    tracked = open_tracked_clip(
        take, clip, landmarks=landmarks, face_model=face_model, lens=lens, pixel_aspect=pixel_aspect
    )
    inputs = {"take": take, "landmarks": landmarks, "face_model": face_model}
    settings = {"frames": None if frames is None else str(frames), "plate": tracked.plate}
    steps = recipe.recipe_of("overlay", inputs, settings)
    if recipe.is_fresh(output, steps):
        progress(OVERLAY_STAGE, 1, 1)
        return Path(output)
    publish_movie(
        output,
        _overlay_frames(tracked, frames or tracked.take.frames, progress),
        fps=tracked.take.clip.fps,
        label=_label(tracked.take, take, clip),
        options=OVERLAY_ENCODING,
        pixel_aspect=tracked.take.clip.pixel_aspect,
    )
    recipe.record(output, steps)
    return Path(output)


def _overlay_frames(tracked: TrackedClip, frames: FrameRange, progress: Progress) -> Iterator[np.ndarray]:
    """Yield the overlay of a run of plate frames."""
    if frames != FrameRange.span(frames.first, frames.last):
        raise DataError("must be one run without gaps", where=f"frames '{frames}'")
    start, stop = tracked.take.index_of(frames.first), tracked.take.index_of(frames.last) + 1
    overlay = tracked.overlay
    for index, plate in enumerate(tracked.source.iterate(start, stop), start=start):
        yield drawn_frame(overlay, plate, index)
        progress(OVERLAY_STAGE, index + 1 - start, stop - start)


def _label(tracked: Take, take: Path | str, clip: Path | str) -> Label:
    return Label(
        is_plate_kept=True,
        is_by_network=False,
        description="A working picture: a tracked face model and measurements drawn over filmed frames.",
        plate=Path(clip) if Path(clip).is_file() else None,
        consent_sha256=tracked.consent_sha256,
        inputs_sha256={"take": sha256_of_file(take)},
    )


def write_report(
    take: Path | str,
    clip: Path | str,
    folder: Path | str,
    *,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    lens: Path | str | None = None,
    pixel_aspect: Fraction | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Write the report of a take as one `index.html` with everything inside, and return its path.

    Args:
        take: The `*.take`.
        clip: The clip it was tracked from.
        folder: Where `index.html` shall stand.
        landmarks: See `open_tracked_clip`, as for the next three.
        face_model: See there.
        lens: See there.
        pixel_aspect: See there.
        progress: Told after every picture.

    Raises:
        DataError: The files do not belong together, or the folder cannot be written.
    """
    tracked = open_tracked_clip(
        take, clip, landmarks=landmarks, face_model=face_model, lens=lens, pixel_aspect=pixel_aspect
    )
    overlay, pictures = tracked.overlay, []
    chosen = frames_to_show(tracked.take, tracked.doubts)
    for frame, why in chosen.items():
        index = tracked.take.index_of(frame)
        plate = tracked.source.read(index)
        shown = drawn_plate(overlay, plate, index)
        pictures.append(FramePicture(frame, resized(plate, overlay.camera), shown, why))
        progress(REPORT_STAGE, len(pictures), len(chosen) + 1)
    content = report_page(tracked.take, tracked.doubts, pictures, _options_told(take))
    path = Path(folder) / REPORT_NAME
    write_bytes_atomically(path, content.encode())
    progress(REPORT_STAGE, len(chosen) + 1, len(chosen) + 1)
    return path


def _options_told(take: Path | str) -> dict[str, str]:
    """Return the recipe beside a take as names and values; nothing where there is none."""
    steps = recipe.recorded(take)
    if steps is None:
        return {}
    settings = dict(steps["settings"])
    options = settings.pop("options", None) or {}
    inputs = {f"{name} (SHA-256)": sha256[:12] for name, sha256 in steps["inputs_sha256"].items() if sha256}
    told = {"made by": f"dvp {steps['arrow']}, version {steps['version']}", **settings, **_flat(options), **inputs}
    return {name: str(value) for name, value in told.items() if value is not None}


def _flat(options: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested options as one level of dotted names."""
    flat: dict[str, object] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def review_tracking(
    take: Path | str,
    clip: Path | str,
    *,
    overlay: Path | str | None = None,
    report: Path | str | None = None,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    lens: Path | str | None = None,
    pixel_aspect: Fraction | None = None,
    progress: Progress = no_progress,
) -> dict[str, str]:
    """Make what is asked for of a take that was just tracked, and return the paths by name.

    Args:
        take: The `*.take`.
        clip: The clip it was tracked from.
        overlay: The movie to write; see `overlay_movie`.
        report: The folder to write; see `write_report`.
        landmarks: See `open_tracked_clip`, as for the next three.
        face_model: See there.
        lens: See there.
        pixel_aspect: See there.
        progress: Told as the work goes on.
    """
    made = {}
    for name, make, output in (("overlay", overlay_movie, overlay), ("report", write_report, report)):
        if output is not None:
            path = make(
                take,
                clip,
                output,
                landmarks=landmarks,
                face_model=face_model,
                lens=lens,
                pixel_aspect=pixel_aspect,
                progress=progress,
            )
            made[name] = str(path)
    return made


def doubts_summary(take: Take) -> str:
    """Return what is doubtful in a take as a few lines for a terminal, the gravest first; one line where nothing is."""
    doubts = find_doubts(take)
    doubtful = doubtful_frames(doubts)
    if not len(doubtful):
        return f"Nothing doubtful in {take.frame_count} frames.\n"
    told = [doubt for doubt in gravest_first(doubts) if doubt.severity != "note"]
    lines = [f"{len(doubtful)} of {take.frame_count} frames are doubtful:"]
    for doubt in told[:_MOST_LINES]:
        lines.append(f"  {doubt.severity:<5}{doubt.frames!s:>12}  {doubt.channel}: {doubt.reason}. {doubt.remedy}.")
    if len(told) > _MOST_LINES:
        lines.append(f"  and {len(told) - _MOST_LINES} more; `dvp report` shows them all")
    return "\n".join(lines) + "\n"
