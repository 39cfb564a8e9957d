"""What an edit may change of a plate, on the built-in actor's own passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.compose import MatteOptions, compose_frame, compose_layers, edit_matte, plate_matte
from dvp_core.compose.colour_match import LARGEST, matched_to_plate
from dvp_core.data.camera import Crop
from dvp_core.data.edit import Curve, Edit
from dvp_core.data.errors import DataError
from dvp_core.edit import apply_edit
from dvp_core.face.evaluation import landmarks_68
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.colour import srgb_encode
from dvp_core.maths.projection import project
from dvp_core.passes import render_passes

OPTIONS = MatteOptions()


@pytest.fixture(scope="module")
def frame(actor_take):
    return actor_take.clip.start_frame + 3


@pytest.fixture(scope="module")
def tracked(actor_take, frame):
    return next(render_passes(actor_take, frames=[frame]))


@pytest.fixture(scope="module")
def edited(actor_take, frame):
    """Gives the passes of the frame with one channel changed."""

    def passes(channel, value):
        curve = Curve(channel, (frame,), (value,))
        return next(render_passes(apply_edit(actor_take, Edit((curve,))), frames=[frame]))

    return passes


def plate_and_generated():
    """A noisy plate a little larger than the crop, and a generated square that is another picture altogether."""
    random = np.random.default_rng(5)
    return random.integers(0, 200, (300, 320, 3), np.uint8), random.integers(0, 256, (256, 256, 3), np.uint8)


def test_without_an_edit_there_is_no_matte(tracked):
    assert not edit_matte(tracked, tracked, OPTIONS).any()


@pytest.mark.parametrize(("height", "width", "side"), [(300, 320, 256), (720, 1280, 700), (2160, 3840, 1800)])
def test_without_an_edit_the_plate_stays_bit_for_bit(tracked, edited, height, width, side):
    _, generated = plate_and_generated()
    plate = np.random.default_rng(6).integers(0, 256, (height, width, 3), np.uint8)
    crop = Crop(width // 6, 10, side, 256)
    before, after = (replace(frame, crop=crop) for frame in (tracked, edited("expression.jawOpen", 0.3)))
    np.testing.assert_array_equal(compose_frame(plate, generated, before, crop, unedited=before), plate)
    composed = compose_frame(plate, generated, after, crop, unedited=before)
    is_outside = plate_matte(plate.shape, after, unedited=before) == 0
    np.testing.assert_array_equal(composed[is_outside], plate[is_outside])
    assert 0.5 < is_outside.mean() < 1


def test_an_opened_jaw_changes_the_mouth_and_not_the_brow(actor_take, frame, tracked, edited):
    opened = edited("expression.jawOpen", 0.4)
    matte = edit_matte(opened, tracked, OPTIONS)
    camera = actor_take.crop.crop_camera(actor_take.camera)
    marks = landmarks_68(actor_take.face, pose_vertices(actor_take, actor_take.index_of(frame)))
    x, y = np.floor(project(marks, camera)).astype(int).T
    assert (matte[y[60:68], x[60:68]] > 0.99).all()  # the inner lips
    assert (matte[y[17:27], x[17:27]] == 0).all()  # the brows
    assert 0.01 < (matte > 0).mean() < 0.35


def test_all_that_moves_is_in_the_matte(actor_take, frame, tracked, edited):
    """Where a vertex that is seen moves by more than a pixel, the plate shows nothing of it any more."""
    opened = edited("expression.jawOpen", 0.4)
    index, camera = actor_take.index_of(frame), actor_take.crop.crop_camera(actor_take.camera)
    curve = Curve("expression.jawOpen", (frame,), (0.4,))
    before, after = (pose_vertices(take, index) for take in (actor_take, apply_edit(actor_take, Edit((curve,)))))
    places = project(before, camera)
    motion_px = np.linalg.norm(project(after, camera) - places, axis=1)
    x, y = np.floor(places).astype(int).clip(0, 255).T
    is_seen = np.abs(tracked.depth[y, x] - before[:, 2]) < 0.002
    moves = is_seen & (motion_px > 1.2) & (places > 0).all(axis=1) & (places < 256).all(axis=1)
    assert moves.sum() > 300
    assert edit_matte(opened, tracked, OPTIONS)[y[moves], x[moves]].min() > 0.99


def test_pixels_outside_the_matte_are_the_plates(tracked, edited):
    opened = edited("expression.jawOpen", 0.4)
    plate, generated = plate_and_generated()
    composed = compose_frame(plate, generated, opened, opened.crop, unedited=tracked)
    matte = np.zeros(plate.shape[:2])
    matte[:256, :256] = edit_matte(opened, tracked, OPTIONS)
    np.testing.assert_array_equal(composed[matte == 0], plate[matte == 0])
    assert (composed[matte > 0.99] != plate[matte > 0.99]).any(axis=1).mean() > 0.99


def test_a_moved_head_takes_its_hair_along(tracked, edited):
    """A turn reaches past the face as the whole head's matte does; a brow does not."""
    turned = edit_matte(edited("head.yaw_deg", 6.0), tracked, OPTIONS)
    raised = edit_matte(edited("expression.browInnerUp", 0.6), tracked, OPTIONS)
    rows, columns = np.nonzero(tracked.mask > 0.5)
    above = max(rows.min() - 12, 0), int(np.median(columns))
    assert turned[above] > 0.5
    assert raised[above] == 0


def test_an_edit_fades_in(tracked, edited):
    """The matte grows from nothing with the edit, so that no frame pops."""
    values = (0.002, 0.02, 0.05, 0.3)
    sums = [edit_matte(edited("expression.jawOpen", value), tracked, OPTIONS).sum() for value in values]
    assert sums[0] == 0
    assert (np.diff(sums) > 0).all()


def test_another_light_changes_the_whole_face(tracked):
    relit = replace(tracked, color=tracked.color * np.float32(1.2))
    matte = edit_matte(relit, tracked, OPTIONS)
    assert matte[tracked.mask > 0.5].mean() > 0.95


def test_light_rounded_otherwise_changes_nothing(tracked):
    rounded = replace(tracked, color=tracked.color * np.float32(1.0004))
    assert not edit_matte(rounded, tracked, OPTIONS).any()


def test_gaze_changes_the_eyes_alone(tracked, edited):
    matte = edit_matte(edited("gaze.yaw_deg", 15.0), tracked, OPTIONS)
    is_eye = tracked.gaze.max(axis=2) > 0
    assert matte[is_eye].mean() > 0.8
    assert (matte > 0).mean() < 0.1


def test_passes_of_another_crop_are_refused(tracked):
    plate, generated = plate_and_generated()
    other = replace(tracked, crop=replace(tracked.crop, x_px=5))
    with pytest.raises(DataError, match="passes show"):
        compose_frame(plate, generated, tracked, tracked.crop, unedited=other)


def test_a_patch_takes_the_plates_colour():
    """A constant difference on the kept face is carried into the replaced part; an absurd one only so far."""
    random = np.random.default_rng(2)
    plate = random.integers(60, 180, (128, 128, 3)).astype(np.uint8)
    is_kept = np.ones((128, 128), bool)
    is_kept[40:90, 40:90] = False
    lighter = (plate + 7).astype(np.uint8)
    matched = matched_to_plate(lighter, plate, is_kept)
    assert np.abs(matched - plate)[~is_kept].mean() < 2.0
    far = np.clip(plate.astype(int) + 75, 0, 255).astype(np.uint8)
    assert np.abs(matched_to_plate(far, plate, is_kept) - far).max() <= LARGEST


def test_without_a_kept_face_colours_stay():
    generated = np.full((32, 32, 3), 90, np.uint8)
    matched = matched_to_plate(generated, np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), bool))
    np.testing.assert_array_equal(matched, generated)


def test_the_final_picture_is_made_of_its_layers(tracked, edited):
    opened = edited("expression.jawOpen", 0.4)
    plate, generated = plate_and_generated()
    layers = compose_layers(plate, generated, opened, opened.crop, unedited=tracked)
    matte = layers["matte"][..., None].astype(np.float64)
    rebuilt = matte * layers["neural"] + (1 - matte) * layers["plate"]
    np.testing.assert_allclose(rebuilt, layers["final"], rtol=2**-10, atol=2**-20)
    shown = np.rint(255 * srgb_encode(layers["final"].astype(np.float64)))
    composed = compose_frame(plate, generated, opened, opened.crop, unedited=tracked)
    assert np.abs(shown - composed).max() <= 1
    np.testing.assert_array_equal(layers["depth"][:256, :256], opened.depth)
    np.testing.assert_array_equal(layers["corr"][:256, :256], opened.corr)
    assert not layers["depth"][256:].any()


class Stripes:
    """A mark that anyone sees: stripes of the plate's columns."""

    def __init__(self):
        self.places = []

    def on(self, picture, *, weight=None, top_px=0, left_px=0):
        assert weight is not None
        assert weight.shape == picture.shape[:2]
        self.places.append((top_px, left_px))
        column = left_px + np.arange(picture.shape[1])
        return np.where((column % 2 == 0)[None, :, None], picture, 1 - picture).astype(np.float32)


def test_the_mark_is_in_the_generated_face_and_nowhere_else(tracked, edited):
    plate, generated = plate_and_generated()
    crop, mark = tracked.crop, Stripes()
    assert np.array_equal(compose_frame(plate, generated, tracked, crop, unedited=tracked, mark=mark), plate)
    assert mark.places == []
    passes = edited("expression.jawOpen", 0.6)
    plain = compose_frame(plate, generated, passes, crop, unedited=tracked)
    marked = compose_frame(plate, generated, passes, crop, unedited=tracked, mark=mark)
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    assert len(rows) > 100
    assert set(columns % 2) == {1}
    matte = plate_matte(plate.shape, passes, unedited=tracked)
    assert not (plain != marked)[matte == 0].any()
    layers = compose_layers(plate, generated, passes, crop, unedited=tracked, mark=mark)
    weight = layers["matte"][..., None].astype(np.float32)
    rebuilt = weight * layers["neural"] + (1 - weight) * layers["plate"]
    np.testing.assert_allclose(rebuilt, layers["final"], rtol=2**-10, atol=2**-20)
    shown = np.abs(255 * srgb_encode(layers["final"].astype(np.float32)) - marked.astype(np.float32))
    assert shown.max() <= 1.0
