import pytest
import torch

from dvp_core.generator.initial_images import nearest_distance, spread_out
from dvp_core.generator.networks.fast import pixel_grid
from dvp_core.generator.networks.head_frame import HeadFrame
from dvp_core.generator.networks.head_images import NEAREST, RESERVE, HeadImages

SIZE = 32


@pytest.fixture
def pictures():
    """Four pictures of one colour each, of heads that are turned further and further."""
    made = HeadImages(count=4, size=SIZE).eval()
    with torch.no_grad():
        made.images[:] = torch.arange(4.0)[:, None, None, None]
        made.get_buffer("depth")[:, 0] = torch.arange(4.0)
        made.get_buffer("reach").fill_(0.1)
    return made


def shown(pictures, frame, flow=None, outside=1.0):
    grid = pixel_grid(SIZE, torch.device("cpu"))
    still = torch.zeros(len(frame.offset), 2, SIZE // 4, SIZE // 4)
    return pictures(frame, grid, still if flow is None else flow, torch.full_like(still[:, :1], outside))


def head(turn, offset=(0.0, 0.0)):
    return HeadFrame(torch.eye(2)[None], torch.tensor([[turn, 0.0]]), torch.tensor([offset]))


@pytest.mark.parametrize("turn", [0.0, 1.0, 3.0])
def test_a_head_of_a_picture_is_shown_by_that_picture(pictures, turn):
    torch.testing.assert_close(shown(pictures, head(turn)), torch.full((1, 4, SIZE, SIZE), turn), atol=1e-3, rtol=0)


def test_between_two_pictures_both_are_blended_alike(pictures):
    torch.testing.assert_close(shown(pictures, head(1.5)), torch.full((1, 4, SIZE, SIZE), 1.5), atol=1e-3, rtol=0)


def test_training_paints_some_frames_without_their_nearest_picture(pictures):
    torch.manual_seed(0)
    pictures.train()
    values = [float(shown(pictures, head(0.0)).detach().mean()) for _ in range(40)]
    near_zero, near_one = (sum(abs(value - wanted) < 1e-3 for value in values) for wanted in (0, 1))
    assert near_zero + near_one == 40
    assert 10 <= near_zero <= 30


def test_the_picture_moves_with_the_head(pictures):
    with torch.no_grad():
        pictures.images[:] = torch.linspace(-1, 1, SIZE)[None, None, None, :]
    here, aside = shown(pictures, head(0.0)), shown(pictures, head(0.0, offset=(0.25, 0.0)))
    pixels = round(0.25 * SIZE / 2)
    torch.testing.assert_close(aside[..., pixels:], here[..., :-pixels], atol=1e-5, rtol=0)


def test_learned_motion_can_keep_shoulders_where_they_are(pictures):
    step = 0.2
    with torch.no_grad():
        pictures.images[:] = torch.linspace(-1, 1, SIZE)[None, None, None, :]
        moved = head(0.0, offset=(step, 0.0))
        change = (moved.numbers() - head(0.0).numbers())[0, 6]  # the number that says how far aside the head is
        pictures.motion[0, 6] = RESERVE * step / change  # across, in answer to it
    torch.testing.assert_close(shown(pictures, moved), shown(pictures, head(0.0)), atol=1e-5, rtol=0)
    on_the_face = shown(pictures, moved, outside=0.0)
    pictures.motion.data.zero_()
    torch.testing.assert_close(on_the_face, shown(pictures, moved), atol=1e-6, rtol=0)


def test_flow_looks_farther(pictures):
    with torch.no_grad():
        pictures.images[:] = torch.linspace(-1, 1, SIZE)[None, None, None, :]
    flow = torch.zeros(1, 2, SIZE // 4, SIZE // 4)
    flow[:, 0] = 4 * 2 / SIZE
    here, farther = shown(pictures, head(0.0)), shown(pictures, head(0.0), flow)
    inner = slice(4, -4)
    difference = (farther - here)[..., inner, inner].mean().detach()
    assert float(difference) == pytest.approx(4 * 2 / (SIZE - 1), rel=1e-3)


def test_every_picture_can_be_learned(pictures):
    (
        shown(
            pictures, HeadFrame(*(torch.cat([getattr(head(turn), name) for turn in range(4)]) for name in FIELDS))
        ).sum()
    ).backward()
    assert (pictures.images.grad.flatten(1).abs().amax(dim=1) > 0).all()


FIELDS = ("linear", "depth", "offset")


def test_of_equally_near_pictures_the_earlier_ones_are_shown(pictures):
    pictures.get_buffer("depth").zero_()
    torch.testing.assert_close(shown(pictures, head(2.0)), torch.full((1, 4, SIZE, SIZE), 0.5), atol=1e-2, rtol=0)


def test_fewer_pictures_than_are_blended_are_enough():
    alone = HeadImages(count=1, size=SIZE)
    assert NEAREST > 1
    assert torch.isfinite(shown(alone, head(2.0))).all()


def test_poses_are_chosen_that_lie_far_apart():
    points = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.1], [0.0, 4.0]])
    assert spread_out(points, 3, first=0) == [0, 3, 4]
    assert nearest_distance(points[[0, 2, 4]]) == pytest.approx(4.0)


def test_a_head_that_never_moves_gives_the_same_pose_again():
    assert len(spread_out(torch.zeros(2, 8), 5, first=1)) == 5
    assert nearest_distance(torch.zeros(5, 8)) == 0
