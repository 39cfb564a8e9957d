"""Skin, lip, brow, tooth and eye colours for a face model that brings none: a mean and a small linear basis.

The colours are linear Rec.709 and are painted by distance to the 68 landmarks and to the eyes, so that the same code
serves the built-in face and imported geometry. The basis holds named variations (tone, redness, brows, beard shadow,
...) and smooth ones; it is analytic, not learned from people.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from dvp_core.face.landmark_map import LANDMARK_GROUPS

SKIN = (0.56, 0.315, 0.225)
LIPS = (0.42, 0.155, 0.13)
BROWS = (0.075, 0.045, 0.032)
TEETH = (0.66, 0.60, 0.50)
GUMS = (0.36, 0.10, 0.09)
TONGUE = (0.42, 0.15, 0.14)
MOUTH_SOCKET = (0.16, 0.03, 0.025)
EYE_SOCKET = (0.42, 0.20, 0.15)
SCLERA = (0.68, 0.64, 0.60)
IRIS = (0.10, 0.075, 0.045)
PUPIL = (0.008, 0.007, 0.006)

_INNER_COLOURS = {
    "mouth_socket": MOUTH_SOCKET,
    "eye_socket": EYE_SOCKET,
    "gums": GUMS,
    "tongue": TONGUE,
    "teeth": TEETH,
    "eyeball_left": SCLERA,
    "eyeball_right": SCLERA,
}
_SKIN_REGIONS = ("face", "head", "neck", "other")


@dataclass(frozen=True)
class PaintedFace:
    """What the painter looks at; lengths in metres, head space.

    Attributes:
        vertices: (V, 3) of the neutral mean face.
        region_ids: (V,) indices into `region_names`.
        region_names: Names used by every face model.
        landmarks: (68, 3) of the neutral mean face.
        eye_centers: (2, 3), left then right.
        iris_radii: (2,), left then right.
        nostril_centers: (2, 3), middles of the nostrils' cavities; None paints two spots under the nose instead.
    """

    vertices: np.ndarray
    region_ids: np.ndarray
    region_names: tuple[str, ...]
    landmarks: np.ndarray
    eye_centers: np.ndarray
    iris_radii: np.ndarray
    nostril_centers: np.ndarray | None = None

    def is_in(self, *names: str) -> np.ndarray:
        """Mask (V,) of the vertices of the named regions; unknown names select nothing."""
        wanted = [index for index, name in enumerate(self.region_names) if name in names]
        return np.isin(self.region_ids, wanted)


def paint(face: PaintedFace) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance mean (V, 3) and basis (R, V, 3), float32, linear Rec.709."""
    masks = _masks(face)
    mean = _mean(face, masks)
    fields = [*_named_fields(mean, masks), *_smooth_fields(face, mean, masks)]
    return mean.astype(np.float32), np.stack(fields).astype(np.float32)


def _mean(face: PaintedFace, masks: dict[str, np.ndarray]) -> np.ndarray:
    mean = np.empty((len(face.vertices), 3))
    mean[:] = SKIN
    for name, colour in _INNER_COLOURS.items():
        mean[face.is_in(name)] = colour
    for name, colour, strength in (
        ("lips", LIPS, 0.85),
        ("brows", BROWS, 0.8),
        ("lash_line", BROWS, 0.65),
        ("nostrils", (0.06, 0.02, 0.015), 0.9),
        ("cheeks", (0.56, 0.25, 0.18), 0.35),
        ("iris", IRIS, 1.0),
        ("pupil", PUPIL, 1.0),
    ):
        mean = _toward(mean, colour, strength * masks[name])
    limbus = masks["iris"] * (1.0 - masks["iris_inside"])
    return mean * (1.0 - 0.45 * limbus)[:, None]


def _toward(colours: np.ndarray, colour: tuple[float, float, float], weight: np.ndarray) -> np.ndarray:
    return colours + weight[:, None] * (np.asarray(colour) - colours)


def _masks(face: PaintedFace) -> dict[str, np.ndarray]:
    """Soft masks (V,) in 0..1, one per painted feature; distances are metres on the neutral mean face."""
    points, marks = face.vertices, face.landmarks
    skin = face.is_in(*_SKIN_REGIONS).astype(float)
    groups = {name: marks[list(indices)] for name, indices in LANDMARK_GROUPS.items()}
    front = skin * _ramp(points[:, 2], marks[:, 2].min() - 0.02, marks[:, 2].min() + 0.03)
    brows = np.maximum(*(_near_line(points, _brow_line(groups[name]), 0.0044) for name in ("brow_left", "brow_right")))
    eyes = [np.vstack([groups[name], groups[name][:1]]) for name in ("eye_left", "eye_right")]
    lash_line = np.maximum(*(_near_line(points, line, 0.0018) for line in eyes))
    mouth = groups["lips_outer"]
    under_eye = np.maximum(*(_near_point(points, eye[[4, 5]].mean(0) - (0, 0.009, 0), 0.011) for eye in eyes))
    masks = {
        "skin": skin,
        "lips": skin * _inside_lips(points, mouth) + 0.7 * _near_lip_socket(face, mouth),
        "brows": front * brows,
        "lash_line": front * lash_line,
        "nostrils": skin * _nostrils(face),
        "cheeks": front * _cheeks(points, marks),
        "under_eye": front * under_eye,
        "nose": front * _near_point(points, marks[30], 0.016),
        "beard": skin * _beard(points, marks),
        "scalp": skin * _scalp(points, marks),
    }
    masks.update(_eye_masks(face))
    return masks


def _eye_masks(face: PaintedFace) -> dict[str, np.ndarray]:
    """Iris, its inside and pupil by distance from the optical axis, which lies along +Z in the neutral face."""
    names = ("iris", "iris_inside", "pupil", "sclera")
    masks = {name: np.zeros(len(face.vertices)) for name in names}
    for side, region in enumerate(("eyeball_left", "eyeball_right")):
        offset = face.vertices - face.eye_centers[side]
        radius = np.hypot(offset[:, 0], offset[:, 1]) / face.iris_radii[side]
        on_front = face.is_in(region) & (offset[:, 2] > 0)
        masks["iris"] += on_front * (1.0 - _ramp(radius, 0.98, 1.06))
        masks["iris_inside"] += on_front * (1.0 - _ramp(radius, 0.78, 0.95))
        masks["pupil"] += on_front * (1.0 - _ramp(radius, 0.33, 0.42))
        masks["sclera"] += face.is_in(region) * _ramp(radius, 0.98, 1.06)
    return masks


def _named_fields(mean: np.ndarray, masks: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The variations one can name; each field is one standard deviation."""

    def scaled(mask: str, red: float, green: float, blue: float) -> np.ndarray:
        return masks[mask][:, None] * mean * (red, green, blue)

    return [
        scaled("skin", 0.18, 0.22, 0.25),  # lighter or darker: melanin absorbs blue most
        scaled("skin", 0.015, -0.05, -0.035),  # ruddier or paler: blood absorbs green most
        scaled("skin", 0.01, 0.005, -0.06),  # yellower or bluer
        scaled("lips", 0.06, -0.10, -0.06),
        scaled("lips", -0.13, -0.13, -0.13),
        masks["brows"][:, None] * (np.asarray(SKIN) - BROWS) * -0.25,
        masks["brows"][:, None] * np.array((0.035, 0.018, 0.006)),
        scaled("beard", -0.16, -0.145, -0.115),
        scaled("beard", -0.06, -0.08, -0.12),
        scaled("cheeks", 0.01, -0.08, -0.06),
        scaled("under_eye", -0.08, -0.09, -0.06),
        scaled("nose", 0.01, -0.06, -0.05),
        scaled("scalp", -0.25, -0.27, -0.28),
        masks["iris"][:, None] * np.array((-0.012, 0.012, 0.045)),
        masks["iris"][:, None] * np.array((0.022, 0.018, 0.010)),
        scaled("sclera", 0.08, 0.09, 0.11),
    ]


def _smooth_fields(face: PaintedFace, mean: np.ndarray, masks: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Low-frequency blotches over the skin: products of cosines across the face, light-dark then red-green."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    across, down, _ = ((face.vertices - low) / np.maximum(high - low, 1e-9)).T
    across, down = np.clip(across, -0.3, 1.3), np.clip(down, -0.5, 1.6)
    fields = []
    for colour in ((0.045, 0.05, 0.055), (0.006, -0.025, -0.018)):
        for waves_across, waves_down in ((1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2), (2, 2)):
            wave = np.cos(np.pi * waves_across * across) * np.cos(np.pi * waves_down * down)
            weight = wave / (0.5 * (waves_across + waves_down) + 0.5)
            fields.append((masks["skin"] * weight)[:, None] * mean * colour)
    return fields


def _ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    fraction = np.clip((values - low) / (high - low), 0.0, 1.0)
    return fraction * fraction * (3.0 - 2.0 * fraction)


def _near_point(points: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
    return np.exp(-np.sum((points - center) ** 2, axis=1) / radius**2)


def _near_line(points: np.ndarray, line: np.ndarray, half_width: float) -> np.ndarray:
    """1 on a polyline (N, 3), falling to 0 at about 1.5 half widths."""
    return 1.0 - _ramp(_distance_to_line(points, line), 0.55 * half_width, 1.5 * half_width)


def _brow_line(marks: np.ndarray) -> np.ndarray:
    """The brow (5, 3) with its inner end drawn in, where its soft edge would run into the nose's root."""
    line = marks.copy()
    inner, second = (0, 1) if abs(marks[0, 0]) < abs(marks[-1, 0]) else (-1, -2)
    line[inner] += 0.45 * (line[second] - line[inner])
    return line


def _distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    nearest = np.full(len(points), np.inf)
    for start, stop in itertools.pairwise(line):
        edge = stop - start
        along = np.clip((points - start) @ edge / max(float(edge @ edge), 1e-12), 0.0, 1.0)
        nearest = np.minimum(nearest, np.linalg.norm(points - start - along[:, None] * edge, axis=1))
    return nearest


def _inside_outline(points_xy: np.ndarray, outline_xy: np.ndarray) -> np.ndarray:
    """True where a frontal point (N, 2) lies inside a closed outline (M, 2), by counting crossings."""
    inside = np.zeros(len(points_xy), dtype=bool)
    x, y = points_xy.T
    for start, stop in zip(outline_xy, np.roll(outline_xy, -1, axis=0), strict=True):
        straddles = (start[1] > y) != (stop[1] > y)
        rise = stop[1] - start[1]
        if rise:
            inside ^= straddles & (x < start[0] + (y - start[1]) / rise * (stop[0] - start[0]))
    return inside


def _inside_lips(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """1 between the outer lip landmarks seen from the front, with an edge about 1.5 mm soft."""
    line = np.vstack([outline, outline[:1]])
    distance = _distance_to_line(points * (1, 1, 0.3), line * (1, 1, 0.3))
    signed = np.where(_inside_outline(points[:, :2], outline[:, :2]), distance, -distance)
    near_front = points[:, 2] > outline[:, 2].min() - 0.008
    return near_front * _ramp(signed, -0.0012, 0.0012)


def _near_lip_socket(face: PaintedFace, outline: np.ndarray) -> np.ndarray:
    """The mouth's lining reddens toward the lips it continues."""
    depth = outline[:, 2].max() - face.vertices[:, 2]
    return face.is_in("mouth_socket") * (1.0 - _ramp(depth, 0.004, 0.016))


def _nostrils(face: PaintedFace) -> np.ndarray:
    """Dark nostrils: the cavities where the model has them, else two spots between the nose's middle and its wings."""
    if face.nostril_centers is not None:
        return _spots(face.vertices, face.nostril_centers, 0.0055, 0.0075)
    base = face.landmarks[list(LANDMARK_GROUPS["nose_base"])]
    centers = 0.5 * (base[2] + base[[4, 0]]) + (0.0, 0.0022, 0.0045)
    return _spots(face.vertices, centers, 0.002, 0.0045)


def _spots(points: np.ndarray, centers: np.ndarray, inner: float, outer: float) -> np.ndarray:
    """1 nearer than `inner` to one of the centres (N, 3), 0 farther than `outer` from all."""
    distance = np.min([np.linalg.norm(points - center, axis=1) for center in centers], axis=0)
    return 1.0 - _ramp(distance, inner, outer)


def _cheeks(points: np.ndarray, marks: np.ndarray) -> np.ndarray:
    sides = [0.5 * (marks[corner] + marks[ear]) for corner, ear in ((36, 3), (45, 13))]
    sides = [side + 0.35 * (marks[30] - side) * (1, 0, 1) for side in sides]
    return np.maximum(*(_near_point(points, side, 0.022) for side in sides))


def _beard(points: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The shaved area: jaw, chin and upper lip, ending below the jaw and before the ears."""
    mouth_height = marks[48:60, 1].mean()
    chin = marks[8]
    low = _ramp(points[:, 1], chin[1] - 0.03, chin[1] - 0.005)
    top = 1.0 - _ramp(points[:, 1] + 0.25 * (marks[30, 2] - points[:, 2]), marks[33, 1] - 0.003, marks[33, 1] + 0.012)
    depth = _ramp(points[:, 2], marks[[0, 16], 2].mean() - 0.005, marks[[0, 16], 2].mean() + 0.02)
    upper_lip = _near_point(
        points * (0.4, 1, 1), np.array((0, 0.5 * (marks[33, 1] + marks[51, 1]), marks[51, 2])), 0.02
    )
    below_mouth = 1.0 - _ramp(points[:, 1], mouth_height - 0.002, mouth_height + 0.02)
    return (
        low
        * depth
        * np.maximum(top * np.maximum(below_mouth, 0.5), 0.6 * upper_lip)
        * (1.0 - _inside_lips(points, marks[48:60]))
    )


def _scalp(points: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Where hair grows: above a hairline that falls from the forehead over the temples to the nape."""
    brow_height = marks[17:27, 1].mean()
    front_depth = marks[27, 2]
    backward = np.clip((front_depth - points[:, 2]) / 0.18, 0.0, 1.0)
    hairline = brow_height + 0.058 - 0.135 * _ramp(backward, 0.22, 0.75)
    return _ramp(points[:, 1], hairline, hairline + 0.010)
