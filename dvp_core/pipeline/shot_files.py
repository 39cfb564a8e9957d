"""The files beside a shot's frames: job, manifest, signed list, contact sheet, movie. Frames are rendered elsewhere.

They stand in the folder of the frames: `job.json`, `manifest.json`, the signed list of frames, `contact.png` and
`<name of the folder>.mp4`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_file, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, job_to_dict, write_job
from dvp_core.pipeline.consent import admitted_sha256
from dvp_core.pipeline.render_frames import frame_path

_SHEET_COLUMNS = 6
_SHEET_FRAMES = 24
_SHEET_CELL_PX = 256


@dataclass(frozen=True)
class ListedFrame:
    """One line of a manifest.

    Attributes:
        frame: Plate frame number.
        key: Hash of all that its pixels depend on.
        sha256: Hash of its file.
        worker: Who published it.
        seconds: How long that took; 0 where the file was already there.
    """

    frame: int
    key: str
    sha256: str
    worker: str
    seconds: float


def shot_file_names(output: Path | str) -> tuple[str, ...]:
    """Return the names of the files that may stand beside the frames of an output template."""
    movie = f"{Path(output).parent.name}.mp4"
    return ("job.json", "manifest.json", "frames.label.json", "contact.png", movie)


def publish_job_files(
    job: Job, frames: Sequence[ListedFrame], *, output: Path, consent: Path | None = None
) -> tuple[Path, ...]:
    """Write `job.json`, `manifest.json` and the signed list of a finished shot and return their paths.

    Args:
        job: As it was submitted.
        frames: All of the shot's frames, ascending.
        output: Template of the frames, local.
        consent: Consent record, recorded in the list.

    Raises:
        DataError: A frame's file is gone or is not the one that was recorded.
    """
    from dvp_core.trust import Label, Work, publish_frame_list

    hash_of_consent = admitted_sha256(consent, Work("render"))
    for listed in frames:
        path = frame_path(output, listed.frame)
        if not path.is_file() or sha256_of_file(path) != listed.sha256:
            raise DataError("is gone or was changed after it was rendered", where=path, remedy="retry the job")
    folder = output.parent
    write_job(folder / "job.json", job)
    manifest = {
        "schema_version": 1,
        "job": job_to_dict(job),
        "consent_sha256": hash_of_consent,
        "frames": [asdict(listed) | {"file": frame_path(output, listed.frame).name} for listed in frames],
    }
    write_bytes_atomically(folder / "manifest.json", canonical_json(manifest))
    paths = [frame_path(output, listed.frame) for listed in frames]
    label = Label(is_plate_kept=False, consent_sha256=hash_of_consent, inputs_sha256=job.inputs_sha256)
    signed = publish_frame_list(folder, paths, label=label)
    return folder / "job.json", folder / "manifest.json", signed


def publish_contact_sheet(frames: Sequence[int], *, output: Path, consent: Path | None = None) -> Path:
    """Publish `contact.png`, up to 24 frames spread evenly over the shot, and return its path."""
    from dvp_core.trust import Label, Work, publish_still
    from dvp_core.video import read_image

    chosen = sorted({frames[round(index)] for index in np.linspace(0, len(frames) - 1, _SHEET_FRAMES)})
    pictures = [_shrunk(read_image(frame_path(output, frame))) for frame in chosen]
    path = output.parent / "contact.png"
    label = Label(is_plate_kept=False, consent_sha256=admitted_sha256(consent, Work("render")))
    publish_still(path, contact_sheet(pictures), label=label)
    return path


def contact_sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures of one size in rows of six on black, (H, W, 3) uint8."""
    height_px, width_px = pictures[0].shape[:2]
    column_count = min(_SHEET_COLUMNS, len(pictures))
    row_count = -(-len(pictures) // column_count)
    sheet = np.zeros((row_count * height_px, column_count * width_px, 3), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, column_count)
        sheet[row * height_px : (row + 1) * height_px, column * width_px : (column + 1) * width_px] = picture
    return sheet


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Return every n-th pixel of an image, so that it fits a cell."""
    step = max(1, -(-max(image.shape[:2]) // _SHEET_CELL_PX))
    return image[::step, ::step]


def publish_shot_movie(
    frames: Sequence[int],
    *,
    output: Path,
    passes: Path,
    plate: Path | None,
    unedited: Path | None = None,
    consent: Path | None = None,
) -> Path:
    """Publish the shot's labelled movie and return its path: composed into the plate, or the bare squares without one.

    Args:
        frames: The shot's frames, ascending.
        output: Template of the frames, local.
        passes: The passes they were rendered from.
        plate: The clip that lends its pictures, sound and rate.
        unedited: The performance as tracked, so that what the edit leaves alone stays the plate's.
        consent: Consent record, recorded in the label.
    """
    from dvp_core.pipeline.movie import make_movie

    path = output.parent / f"{output.parent.name}.mp4"
    composed_from = None if plate is None else passes
    make_movie(
        output,
        path,
        frames=FrameRange.of(frames),
        passes=composed_from,
        unedited=unedited,
        plate=plate,
        consent=consent,
    )
    return path
