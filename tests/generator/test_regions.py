"""Where mouth and eye discriminators look, held against the built-in actor's truth and the face models' landmarks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dvp_core.actor import actor_truth
from dvp_core.data.camera import Crop
from dvp_core.face import built_in_face, import_ict, landmarks_68
from dvp_core.face.landmark_map import LANDMARK_GROUPS
from dvp_core.generator.networks.regions import (
    MOUTH_HIGH,
    MOUTH_LOW,
    Region,
    cropped,
    eyes_region,
    mouth_region,
    region_side_px,
)
from dvp_core.passes import render_passes

LIPS = [*LANDMARK_GROUPS["lips_outer"], *LANDMARK_GROUPS["lips_inner"]]
EYES = [*LANDMARK_GROUPS["eye_right"], *LANDMARK_GROUPS["eye_left"]]


def channels(take, indices, crop):
    frames = [take.clip.start_frame + index for index in indices]
    drawn = render_passes(replace(take, crop=crop), frames=frames)
    return torch.from_numpy(np.stack([frame.network_channels() for frame in drawn]))


def strangest(take):
    """Frames that turn and speak most, among some more: never an easy choice."""
    jaw = take.expression[:, take.expression_names.index("jawOpen")]
    blink = take.expression[:, take.expression_names.index("eyeBlinkLeft")]
    is_awake = np.flatnonzero(blink < 0.2)
    turned = take.head_rotation_wxyz @ take.head_rotation_wxyz.mean(0)
    picks = [is_awake[jaw[is_awake].argmax()], is_awake[turned[is_awake].argmin()], *is_awake[:: len(is_awake) // 4]]
    return [int(index) for index in picks]


@pytest.mark.parametrize("resolution_px", [64, 256])
def test_the_places_found_are_mouth_and_eyes(actor_take, resolution_px):
    indices = strangest(actor_take)
    current = channels(actor_take, indices, Crop(0, 0, 256, resolution_px))
    points = torch.from_numpy(actor_truth().landmarks_px[indices]).float() / 128 - 1
    half_pixel = 1 / resolution_px
    for region, group in ((mouth_region(current), LIPS), (eyes_region(current), EYES)):
        assert region.weight.tolist() == [1] * len(indices)
        own = points[:, group]
        beyond = ((own - region.centre[:, None]).abs() - region.half[:, None]).amax()
        assert float(beyond) < half_pixel, "a landmark lies outside"
        width = own[..., 0].amax(1) - own[..., 0].amin(1)
        height = own[..., 1].amax(1) - own[..., 1].amin(1)
        needed = torch.maximum(width, height * (region.half[:, 0] / region.half[:, 1]))
        assert float((2 * region.half[:, 0] / needed).amax()) < 2.2, "most of it shows something else"


def test_a_face_that_leaves_the_picture_and_closed_eyes_have_no_region(actor_take):
    jaw = actor_take.expression[:, actor_take.expression_names.index("jawOpen")]
    index = int(jaw.argmin())
    mouth_y = actor_truth().landmarks_px[index, LIPS, 1].mean()
    cut = channels(actor_take, [index], Crop(0, int(mouth_y) - 256, 256, 128))  # the lower edge goes through the lips
    assert mouth_region(cut).weight.tolist() == [0]
    assert eyes_region(cut).weight.tolist() == [1]
    nothing = torch.full((1, 9, 64, 64), -1.0)
    for region in (mouth_region(nothing), eyes_region(nothing)):
        assert region.weight.tolist() == [0]
        assert torch.isfinite(cropped(nothing, region, width=8, height=8)).all()
    shut = channels(actor_take, [index], Crop(0, 0, 256, 128))
    shut[:, 6:9] = -1
    assert eyes_region(shut).weight.tolist() == [0]
    assert mouth_region(shut).weight.tolist() == [1]


def assert_holds_the_lips(model):
    lips = landmarks_68(model, 2 * model.correspondence - 1)[LIPS]
    margins = np.concatenate([lips.min(0) - np.array(MOUTH_LOW), np.array(MOUTH_HIGH) - lips.max(0)])
    assert (margins > 0.01).all(), margins
    others = landmarks_68(model, 2 * model.correspondence - 1)[[*EYES, *LANDMARK_GROUPS["nose_bridge"], 7, 8, 9]]
    is_inside = ((others > np.array(MOUTH_LOW)) & (others < np.array(MOUTH_HIGH))).all(axis=1)
    assert not is_inside.any()


def test_the_mouths_box_holds_the_lips_of_the_built_in_face():
    assert_holds_the_lips(built_in_face())


def test_the_mouths_box_holds_the_lips_of_ict_facekit(test_data):
    assert_holds_the_lips(import_ict(test_data / "ict_facekit" / "ict_facekit.npz"))


def test_a_crop_shows_its_region_and_lets_gradients_through():
    image = torch.zeros(2, 1, 32, 32)
    image[:, :, 8:16, 16:24] = torch.arange(64.0).reshape(8, 8)
    image.requires_grad_(True)
    region = Region(torch.tensor([[0.25, -0.25]] * 2), torch.tensor([[0.25, 0.25]] * 2), torch.ones(2))
    seen = cropped(image, region, width=8, height=8)
    torch.testing.assert_close(seen[0, 0], torch.arange(64.0).reshape(8, 8), atol=1e-4, rtol=0)
    seen.sum().backward()
    expected = torch.zeros(32, 32)
    expected[8:16, 16:24] = 1
    torch.testing.assert_close(image.grad[1, 0], expected, atol=1e-4, rtol=0)
    assert cropped(image, region, width=16, height=8).shape == (2, 1, 8, 16)


def test_places_are_looked_at_about_as_large_as_they_are():
    assert [region_side_px(size) for size in (64, 128, 256, 512)] == [32, 32, 64, 128]
