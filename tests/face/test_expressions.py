"""Each built-in expression does what its name says."""

import numpy as np
import pytest

from dvp_core.face import built_in_face, evaluate, landmarks_68
from dvp_core.face.built_in.expressions import meaning
from dvp_core.face.expression_names import ARKIT_52, canonical_name, mirrored_name
from dvp_core.raster import rasterize


@pytest.fixture(scope="module")
def face():
    return built_in_face()


def posed(face, **weights):
    expression = np.zeros(face.expression_count)
    for name, weight in weights.items():
        expression[face.expression_names.index(name)] = weight
    return evaluate(face, expression=expression)


def moved_mm(face, index, **weights):
    """Displacement of a landmark, mm."""
    return 1000.0 * (landmarks_68(face, posed(face, **weights)) - landmarks_68(face, face.vertices))[index]


def eyeball_pixels(face, vertices):
    """How many pixels of a frontal picture, 4 to the millimetre, show the left eyeball."""
    center = face.eye_centers[0]
    offset = (vertices - center) * 4000.0
    points_px = np.column_stack([100.0 + offset[:, 0], 100.0 - offset[:, 1]])
    raster = rasterize(points_px, 2.0 - vertices[:, 2], face.triangles, 200, 200, backend="reference")
    seen = raster.triangle_ids[raster.triangle_ids >= 0]
    return int(face.region("eyeball_left")[face.triangles[seen, 0]].sum())


def test_names_are_arkits_and_each_has_a_meaning(face):
    assert face.expression_names == ARKIT_52
    assert len(set(ARKIT_52)) == 52
    assert all(len(meaning(name)) > 8 for name in ARKIT_52)


@pytest.mark.parametrize("spelling", ["mouthSmile_L", "MouthSmileLeft", "!ex-mouthSmile_L", "mouthSmileLeft"])
def test_other_spellings_are_understood(spelling):
    assert canonical_name(spelling) == "mouthSmileLeft"


def test_sides_are_mirror_images_and_stay_on_their_side(face):
    flip = np.array((-1.0, 1.0, 1.0))
    order = np.lexsort(np.round(np.column_stack([face.vertices, face.region_ids % 8]), 6).T)
    image_order = np.lexsort(np.round(np.column_stack([face.vertices * flip, face.region_ids % 8]), 6).T)
    for name in (name for name in ARKIT_52 if name.endswith("Left")):
        left = face.expression_basis[ARKIT_52.index(name)].astype(float)
        right = face.expression_basis[ARKIT_52.index(mirrored_name(name))].astype(float)
        strength = np.linalg.norm(left, axis=1)
        assert np.linalg.norm(strength[order]) == pytest.approx(
            np.linalg.norm(np.linalg.norm(right, axis=1)[image_order]), rel=1e-3
        )
        if name not in ("jawLeft", "mouthLeft"):
            assert strength[face.vertices[:, 0] < -0.0095].max() < 1e-6, name
            assert strength.max() > 1e-3, name


def test_eyeballs_never_move_and_teeth_only_with_the_jaw(face):
    still = face.region("eyeball_left", "eyeball_right")
    assert np.abs(face.expression_basis[:, still]).max() == 0.0
    teeth = np.abs(face.expression_basis[:, face.region("teeth", "gums")]).max(axis=(1, 2))
    moving = {name for name, amount in zip(ARKIT_52, teeth, strict=True) if amount > 0}
    assert moving == {"jawOpen", "jawForward", "jawLeft", "jawRight"}


def test_a_blink_closes_the_eye(face):
    marks = 1000.0 * landmarks_68(face, posed(face, eyeBlinkLeft=1.0))
    for upper, lower in ((43, 47), (44, 46)):
        assert np.linalg.norm(marks[upper] - marks[lower]) < 0.5
    open_pixels = eyeball_pixels(face, face.vertices)
    assert open_pixels > 1500
    assert eyeball_pixels(face, posed(face, eyeBlinkLeft=1.0)) < 0.01 * open_pixels
    half = eyeball_pixels(face, posed(face, eyeBlinkLeft=0.5))
    assert 0.25 * open_pixels < half < 0.75 * open_pixels


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize(
    "name", ["eyeBlinkLeft", "eyeLookDownLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft", "eyeLookInLeft"]
)
def test_the_eyeball_never_pokes_through_the_lids(face, name, weight):
    vertices = posed(face, **{name: weight})
    skin = vertices[face.region("face")]
    distance = np.linalg.norm(skin - face.eye_centers[0], axis=1)
    assert distance.min() > face.eye_radii[0] - 0.0002


def test_wide_and_squint_change_the_opening(face):
    rest = eyeball_pixels(face, face.vertices)
    assert eyeball_pixels(face, posed(face, eyeWideLeft=1.0)) > 1.2 * rest
    assert eyeball_pixels(face, posed(face, eyeSquintLeft=1.0)) < 0.75 * rest
    assert eyeball_pixels(face, posed(face, eyeLookDownLeft=1.0)) < 0.85 * rest


def test_the_jaw_opens_the_mouth(face):
    gap = landmarks_68(face, posed(face, jawOpen=1.0))[[62, 66]]
    assert 0.022 < gap[0, 1] - gap[1, 1] < 0.045
    lower_teeth = face.region("teeth") & (face.expression_basis[ARKIT_52.index("jawOpen"), :, 1] < -1e-6)
    assert 0.3 < np.mean(lower_teeth[face.region("teeth")]) < 0.7
    assert np.linalg.norm(moved_mm(face, 33, jawOpen=1.0)) < 0.5
    assert np.linalg.norm(moved_mm(face, 51, jawOpen=1.0)) < 0.5


def test_closed_lips_over_an_open_jaw(face):
    marks = landmarks_68(face, posed(face, jawOpen=1.0, mouthClose=1.0))
    assert np.abs(marks[[61, 62, 63]] - marks[[67, 66, 65]]).max() < 0.0015
    assert moved_mm(face, 8, jawOpen=1.0, mouthClose=1.0)[1] < -20.0


def test_lips_rest_closed(face):
    marks = landmarks_68(face, face.vertices)
    assert np.abs(marks[[61, 62, 63]] - marks[[67, 66, 65]]).max() < 0.0005


# Expression, landmark, axis, and the least displacement in mm along it (negative: the other way).
DIRECTIONS = [
    ("browDownLeft", 22, 1, -3.0),
    ("browInnerUp", 22, 1, 4.0),
    ("browInnerUp", 21, 1, 4.0),
    ("browOuterUpLeft", 25, 1, 4.0),
    ("cheekSquintLeft", 47, 1, 0.8),
    ("eyeLookUpLeft", 43, 1, 1.0),
    ("eyeWideLeft", 44, 1, 1.5),
    ("eyeSquintLeft", 47, 1, 2.0),
    ("jawForward", 8, 2, 5.0),
    ("jawLeft", 8, 0, 5.0),
    ("jawRight", 8, 0, -5.0),
    ("mouthDimpleLeft", 54, 2, -2.5),
    ("mouthFrownLeft", 54, 1, -5.0),
    ("mouthFunnel", 51, 2, 3.0),
    ("mouthFunnel", 57, 1, -3.0),
    ("mouthLeft", 51, 0, 5.0),
    ("mouthRight", 57, 0, -5.0),
    ("mouthLowerDownLeft", 56, 1, -5.0),
    ("mouthPressLeft", 52, 2, -1.0),
    ("mouthPucker", 54, 0, -6.0),
    ("mouthPucker", 48, 0, 6.0),
    ("mouthPucker", 51, 2, 4.0),
    ("mouthRollLower", 66, 2, -3.0),
    ("mouthRollUpper", 62, 2, -3.0),
    ("mouthShrugLower", 57, 1, 2.0),
    ("mouthShrugUpper", 51, 1, 2.0),
    ("mouthSmileLeft", 54, 1, 4.0),
    ("mouthSmileLeft", 54, 0, 5.0),
    ("mouthStretchLeft", 54, 0, 5.0),
    ("mouthUpperUpLeft", 52, 1, 4.0),
    ("noseSneerLeft", 35, 1, 2.0),
]


@pytest.mark.parametrize(("name", "landmark", "axis", "least_mm"), DIRECTIONS)
def test_landmarks_move_as_the_name_says(face, name, landmark, axis, least_mm):
    moved = moved_mm(face, landmark, **{name: 1.0})[axis]
    assert moved * np.sign(least_mm) > abs(least_mm)


@pytest.mark.parametrize("name", ["mouthShrugUpper", "mouthShrugLower", "mouthPucker", "mouthLeft", "cheekPuff"])
def test_lips_stay_shut(face, name):
    marks = landmarks_68(face, posed(face, **{name: 1.0}))
    assert np.abs(marks[[61, 62, 63]] - marks[[67, 66, 65]])[:, 1].max() < 0.0015


def test_cheeks_puff_outward(face):
    field = face.expression_basis[ARKIT_52.index("cheekPuff")]
    cheek = np.linalg.norm(face.vertices - (0.047, -0.03, 0.08), axis=1) < 0.012
    assert field[cheek, 0].mean() > 0.004


def test_the_tongue_comes_out(face):
    tongue = posed(face, tongueOut=1.0)[face.region("tongue")]
    assert tongue[:, 2].max() > landmarks_68(face, face.vertices)[57, 2]
