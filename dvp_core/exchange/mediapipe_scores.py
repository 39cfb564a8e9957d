"""MediaPipe's 52 scores as a performance: the arrays `blendshapes` and `blendshape_names` of a `*.landmarks.npz`.

MediaPipe's names are ARKit's; its `_neutral` is no expression and is left out, and it has no `tongueOut`. Head and gaze
are not among the scores: the tracker measures them from the points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.exchange.performance import Performance, Reading, ReadingOptions
from dvp_core.face.expression_names import ARKIT_52, canonical_name

KIND = "MediaPipe scores"
_NO_EXPRESSION = "_neutral"


def read_mediapipe_scores(path: Path | str, options: ReadingOptions | None = None) -> Reading:
    """Read the scores that stand beside the points in a `*.landmarks.npz`; frames without a face have no values.

    Raises:
        DataError: No such file, no scores in it, or no frame rate.
    """
    arrays, track = read_arrays(path), read_landmarks(path)
    missing = [name for name in ("blendshapes", "blendshape_names") if name not in arrays]
    if missing:
        raise DataError(
            f"has no array '{missing[0]}'", where=path, remedy="Let the detector write its scores beside the points"
        )
    scores, names = arrays["blendshapes"], [str(name) for name in arrays["blendshape_names"].ravel()]
    if scores.shape != (track.frame_count, len(names)) or scores.dtype.kind != "f":
        raise DataError(
            f"blendshapes has shape {scores.shape} of {scores.dtype}, expected "
            f"{(track.frame_count, len(names))} of floats",
            where=path,
        )
    fps = (options.fps if options else None) or track.fps
    if fps is None:
        raise DataError("does not say its frame rate", where=path, remedy="Give it by --fps")
    values = np.where(track.is_detected[:, None], scores.astype(np.float64), np.nan)
    kept = [column for column, name in enumerate(names) if name != _NO_EXPRESSION]
    performance = Performance(
        times_s=np.array([float(index / fps) for index in range(track.frame_count)]),
        expression_names=tuple(canonical_name(names[column]) for column in kept),
        expression=np.ascontiguousarray(values[:, kept]),
        fps=fps,
    )
    return Reading(
        performance,
        KIND,
        ignored_columns=tuple(name for name in names if name == _NO_EXPRESSION),
        missing_names=tuple(name for name in ARKIT_52 if name not in performance.expression_names),
    )
