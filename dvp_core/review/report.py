"""The report that an animator opens after tracking: what is doubtful first, then how everything went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.doubt import Doubt, doubtful_frames, gravest_first
from dvp_core.data.take import Take
from dvp_core.review.curves import panels_of
from dvp_core.review.html import Markup, element, embedded_picture, page, table
from dvp_core.review.portrait import SIDES, portraits
from dvp_core.review.svg import panel_svg

MOST_PICTURES = 6
_APART_S = 0.5
_FULL_FRAME_MM = 36.0
_MOST_WARNINGS = 60


@dataclass(frozen=True)
class FramePicture:
    """One frame as the report shows it.

    Attributes:
        frame: Plate frame number.
        plate: (H, W, 3) uint8.
        overlay: (H, W, 3) uint8.
        why: Why it is shown.
    """

    frame: int
    plate: np.ndarray
    overlay: np.ndarray
    why: str


def frames_to_show(take: Take, doubts: Sequence[Doubt]) -> dict[int, str]:
    """Return up to six plate frames to look at, ascending, and why: the gravest doubts' worst, then the largest errors.

    Args:
        take: The performance.
        doubts: What is doubtful in it.
    """
    chosen: dict[int, str] = {}
    for doubt in gravest_first(doubts):
        if doubt.severity != "note" and len(chosen) < MOST_PICTURES:
            chosen.setdefault(_worst_frame(take, doubt), f"{doubt.reason}. {doubt.remedy}.")
    error = np.where(take.is_tracked, take.landmark_error_px, 0.0)
    apart = max(1, round(_APART_S * float(take.clip.fps)))
    for index in np.argsort(-error, kind="stable"):
        frame = take.clip.start_frame + int(index)
        is_far = all(abs(frame - other) >= apart for other in chosen)
        if len(chosen) < MOST_PICTURES and error[index] > 0 and is_far:
            chosen[frame] = f"among the largest errors of points, {error[index]:.2f} px"
    return dict(sorted(chosen.items()))


def _worst_frame(take: Take, doubt: Doubt) -> int:
    """Return the frame of a doubt with the largest error of points, the middle one where no face was found."""
    run = slice(take.index_of(doubt.first_frame), take.index_of(doubt.last_frame) + 1)
    if not take.is_tracked[run].any():
        return (doubt.first_frame + doubt.last_frame) // 2
    return doubt.first_frame + int(np.argmax(np.where(take.is_tracked[run], take.landmark_error_px[run], -1.0)))


def report_page(
    take: Take, doubts: Sequence[Doubt], pictures: Sequence[FramePicture], options: Mapping[str, str]
) -> str:
    """Return the report as one HTML page with everything inside.

    Args:
        take: The performance, with its face.
        doubts: What is doubtful in it.
        pictures: Frames to show, of `frames_to_show`.
        options: How it was tracked: names and values, as a table shows them.
    """
    coloured, plain = portraits(take)
    sides = ", ".join(SIDES)
    return page(
        f"Tracking of {take.subject}",
        [
            element("h1", f"Tracking of {take.subject}"),
            _verdict(take, doubts),
            *_warnings(doubts),
            element("h2", "Frames to look at"),
            *(part for picture in pictures for part in _frame(picture)),
            element("h2", "Over time"),
            element("p", _LEGEND, kind="quiet"),
            *(panel_svg(panel, take, doubts) for panel in panels_of(take)),
            element("h2", "The head at rest"),
            embedded_picture(coloured, f"Reflectance under neutral light, {sides}."),
            embedded_picture(plain, "The neutral shape alone."),
            element("h2", "Figures"),
            table(_figures(take, doubts)),
            element("h2", "How it was tracked"),
            table(options.items()) if options else element("p", "No recipe stands beside the take."),
            element("p", _KEEP, kind="quiet"),
        ],
    )


_LEGEND = (
    "Thick: as the take shows it. Thin: as measured, with a band of one standard deviation. Dashed: cuts. "
    "Shaded red: not to be used as it is. Shaded yellow: worth a look; rest the mouse on it for the reason."
)
_KEEP = "This page holds pictures of a filmed person. Keep it where the clip is kept, under the same consent."


def _verdict(take: Take, doubts: Sequence[Doubt]) -> Markup:
    doubtful = len(doubtful_frames(doubts))
    if not doubtful:
        return element("p", f"Nothing doubtful in {take.frame_count} frames.", kind="verdict fine")
    bad = len(doubtful_frames(doubt for doubt in doubts if doubt.severity == "bad"))
    text = f"{doubtful} of {take.frame_count} frames are worth a look."
    if bad:
        text = f"{doubtful} of {take.frame_count} frames are doubtful, {bad} of them not to be used as they are."
    return element("p", text, kind=f"verdict {'bad' if bad else 'look'}")


def _warnings(doubts: Sequence[Doubt]) -> list[Markup]:
    if not doubts:
        return []
    told = gravest_first(doubts)
    rows = [(str(doubt.frames), doubt.channel, doubt.reason, doubt.remedy) for doubt in told[:_MOST_WARNINGS]]
    head = ("frames", "what", "seen", "what to do")
    parts = [table(rows, head=head, kinds=[doubt.severity for doubt in told[:_MOST_WARNINGS]])]
    if len(told) > _MOST_WARNINGS:
        parts.append(element("p", f"and {len(told) - _MOST_WARNINGS} more."))
    return parts


def _frame(picture: FramePicture) -> list[Markup]:
    both = np.concatenate([picture.overlay, picture.plate], axis=1)
    return [embedded_picture(both, f"Frame {picture.frame}: {picture.why}")]


def _figures(take: Take, doubts: Sequence[Doubt]) -> list[tuple[str, str]]:
    clip, camera = take.clip, take.camera
    tracked = take.is_tracked
    field_deg = 2 * np.degrees(np.arctan(camera.width_px / (2 * camera.focal_px)))
    figures = [
        ("clip", f"{clip.file_name}, {clip.width_px} x {clip.height_px}, {float(clip.fps):.5g} frames/s"),
        ("frames", f"{take.frames}, {len(take.shot_starts) + 1} shot(s)"),
        ("with a face", f"{int(tracked.sum())} of {take.frame_count}"),
        ("doubtful", f"{len(doubtful_frames(doubts))} of {take.frame_count}"),
        ("error of points, median", _median(take.landmark_error_px[tracked], "{:.2f} px")),
        ("error of colours, median", _median(take.photometric_error[tracked], "{:.4f} of 1")),
        *_sureness(take),
        (
            "camera",
            f"focal length {camera.focal_px:.1f} px: {camera.focal_px / camera.width_px * _FULL_FRAME_MM:.1f} mm on a "
            f"sensor {_FULL_FRAME_MM:.0f} mm wide, {field_deg:.1f} degrees across",
        ),
        ("optical axis", f"({camera.principal_px[0]:.1f}, {camera.principal_px[1]:.1f}) px"),
        ("head from the camera, median", f"{float(np.median(take.head_translation_m[:, 2])):.2f} m"),
        ("face model", f"{take.face_model_id}, {take.face_model_sha256[:12]}"),
        ("identity", _identity(take)),
        ("smoothing", f"{take.smoothing:g}" if take.measured is not None else "no measurement to turn back to"),
        ("crop", f"{take.crop.size_px} px at ({take.crop.x_px}, {take.crop.y_px}), {take.crop.resolution_px} px drawn"),
        ("consent", take.consent_sha256 or "none recorded"),
        ("program", take.tool_version or "unknown"),
    ]
    return figures


def _median(values: np.ndarray, form: str) -> str:
    return form.format(float(np.median(values))) if len(values) else "no frame with a face"


def _sureness(take: Take) -> list[tuple[str, str]]:
    """Return the usual deviations of the measurement."""
    if take.measured is None or not take.is_tracked.any():
        return []
    turn = np.degrees(np.median(take.measured.rotation_sigma_rad[take.is_tracked], axis=0))
    shift = 1000 * np.median(take.measured.translation_sigma_m[take.is_tracked], axis=0)
    return [
        ("usual deviation of rotation", f"{turn[0]:.2f}, {turn[1]:.2f}, {turn[2]:.2f} degrees about x, y, z"),
        ("usual deviation of place", f"{shift[0]:.1f}, {shift[1]:.1f}, {shift[2]:.1f} mm along x, y, z"),
    ]


def _identity(take: Take) -> str:
    if not len(take.identity):
        return "no modes"
    return f"{len(take.identity)} modes, largest {float(np.abs(take.identity).max()):.2f} standard deviations"
