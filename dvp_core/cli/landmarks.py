"""`dvp landmarks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dvp_core.cli.arguments import Input, Output, rate_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.track import faces_seen_figures, find_landmarks


def find(
    clip: Input,
    output: Output,
    *,
    detector: Literal["auto", "mediapipe", "face-alignment"] = "auto",
    weights: Path | None = None,
    fps: str | None = None,
    face: int = 0,
) -> dict[str, Any]:
    """Find the facial points of every frame of a clip.

    Args:
        clip: Movie, folder of pictures or `####` pattern.
        output: The `*.landmarks.npz` to write.
        detector: "auto" takes MediaPipe where it is at hand, else face-alignment.
        weights: The detector's weights, where its library does not find them itself.
        fps: Rate of pictures.
        face: Which face, where several are seen.
    """
    with shown_progress() as progress:
        found = find_landmarks(
            clip, output, detector=detector, weights=weights, fps=rate_of(fps), face=face, progress=progress
        )
    return {
        "landmarks": str(output),
        "frame_count": found.frame_count,
        "point_count": found.point_count,
        "detected_frame_count": int(found.is_detected.sum()),
        **faces_seen_figures(found),
    }
