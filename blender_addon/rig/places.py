# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on a face its controls rest: means of both sides' landmarks, so that left and right mirror exactly.

Numbers are those of the 68 iBUG points, from 0; the subject's left is the half with the higher numbers of each pair.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face import landmarks_68

# Pairs of (left, right) landmarks; a place is the mean of its pairs.
_SIDE_PAIRS: dict[str, tuple[tuple[int, int], ...]] = {
    "brow": ((24, 19), (25, 18)),
    "brow_inner": ((22, 21), (23, 20)),
    "eye_outer": ((45, 36),),
    "lid_upper": ((43, 38), (44, 37)),
    "lid_lower": ((46, 41), (47, 40)),
    "cheek": ((45, 36), (54, 48)),
    "nose_wing": ((35, 31),),
    "mouth_corner": ((54, 48),),
    "lip_upper_side": ((52, 50), (53, 49)),
    "lip_lower_side": ((56, 58), (55, 59)),
}
_MIDDLE_PAIRS: dict[str, tuple[tuple[int, int], ...]] = {
    "brow_middle": ((22, 21),),
    "jaw_hinge": ((16, 0),),
    "mouth_middle": ((62, 62), (66, 66)),
    "lip_upper": ((51, 51),),
    "lip_lower": ((57, 57),),
    "chin": ((8, 8),),
}
_CHEEK_FORWARD_M = 0.01  # the middle between eye and mouth lies inside the cheek
_BOARD_BESIDE_M = 0.11


def control_places(face: FaceModel) -> dict[str, np.ndarray]:
    """Return places (3,) in head space; those of a side are the left one's, the right one has the other sign of x.

    `board` is the middle of the face board, which stands beside the head on the subject's left.
    """
    points = landmarks_68(face, face.vertices)
    places = {name: _left_mean(points, pairs) for name, pairs in _SIDE_PAIRS.items()}
    for name, pairs in _MIDDLE_PAIRS.items():
        places[name] = _left_mean(points, pairs) * [0.0, 1.0, 1.0]
    places["cheek"] = places["cheek"] + np.array([0.0, 0.0, _CHEEK_FORWARD_M])
    half_width = float(np.abs(face.vertices[:, 0]).max())
    places["board"] = np.array([half_width + _BOARD_BESIDE_M, places["mouth_middle"][1], places["chin"][2]])
    return places


def _left_mean(points: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    left = np.array([points[pair[0]] for pair in pairs])
    right = np.array([points[pair[1]] for pair in pairs]) * [-1.0, 1.0, 1.0]
    return (left.mean(axis=0) + right.mean(axis=0)) / 2
