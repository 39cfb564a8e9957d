"""What the points of a detector are: MediaPipe's 478 in terms of iBUG's 68, and which of them are irises or outline.

Numbers only; where a point lies on a face model is the model's own array. Left and right are the subject's.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.landmark_track import LandmarkTrack

# iBUG's points 0..67 as one or the middle of two of MediaPipe's, whose brows have two edges; iBUG's run between them.
_PAIRS_OF_68: tuple[tuple[int, int], ...] = (
    *((n, n) for n in (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)),
    *((70, 46), (63, 53), (105, 52), (66, 65), (107, 55), (336, 285), (296, 295), (334, 282), (293, 283), (300, 276)),
    *((n, n) for n in (168, 197, 5, 4, 98, 97, 2, 326, 327)),
    *((n, n) for n in (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)),
    *((n, n) for n in (61, 39, 37, 0, 267, 269, 291)),
    *((405, 321), (314, 314), (17, 17), (84, 84), (181, 91)),
    *((n, n) for n in (78, 81, 13, 311, 308, 402, 14, 178)),
)
MEDIAPIPE_OF_68 = np.array(_PAIRS_OF_68, dtype=np.int64)
MEDIAPIPE_OUTLINE = np.array(
    [
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ]
)
# Centre first, then four points of the rim; the subject's left eye first.
MEDIAPIPE_IRISES = np.array([[473, 474, 475, 476, 477], [468, 469, 470, 471, 472]])

JAW_68 = np.arange(0, 17)
EYES_68 = np.array([[42, 43, 44, 45, 46, 47], [36, 37, 38, 39, 40, 41]])  # subject's left eye first
MOUTH_68 = np.arange(48, 68)
LID_PAIRS_68 = np.array([[43, 47], [44, 46], [37, 41], [38, 40]])  # upper, lower
LIP_PAIRS_68 = np.array([[61, 67], [62, 66], [63, 65]])

# Upper lid, then lower lid, both from one corner to the other; the subject's left eye first.
_LID_LINES_68 = np.array([[[42, 43, 44, 45], [42, 47, 46, 45]], [[36, 37, 38, 39], [36, 41, 40, 39]]])
_LID_LINES_MEDIAPIPE = np.array(
    [
        [[362, 398, 384, 385, 386, 387, 388, 466, 263], [362, 382, 381, 380, 374, 373, 390, 249, 263]],
        [[33, 246, 161, 160, 159, 158, 157, 173, 133], [33, 7, 163, 144, 145, 153, 154, 155, 133]],
    ]
)


def lid_lines(track: LandmarkTrack) -> np.ndarray:
    """Return the lids' edges (frame, 2 eyes, 2 lids, 9 points, 2) in plate pixels.

    The subject's left eye comes first, the upper lid comes first, and a line runs in the picture from its left corner
    to its right one. Four points of a lid are joined by the cubic through them.
    """
    if track.point_count != 68:
        return track.points_px[:, _LID_LINES_MEDIAPIPE].astype(np.float64)
    known, wanted = np.linspace(0, 1, 4), np.linspace(0, 1, 9)
    cubics = np.vander(wanted, 4) @ np.linalg.inv(np.vander(known, 4))
    return np.einsum("wk,felkx->felwx", cubics, track.points_px[:, _LID_LINES_68].astype(np.float64))


def ibug_points(track: LandmarkTrack) -> np.ndarray:
    """Return iBUG's 68 points (frame, 68, 2) in plate pixels, whatever the detector gave."""
    if track.point_count == 68:
        return track.points_px
    return track.points_px[:, MEDIAPIPE_OF_68].mean(axis=2)


def iris_points(track: LandmarkTrack) -> np.ndarray | None:
    """Return iris centres (frame, 2, 2), the subject's left eye first, in plate pixels; None where there are none."""
    if track.point_count == 68:
        return None
    return track.points_px[:, MEDIAPIPE_IRISES].mean(axis=2)
