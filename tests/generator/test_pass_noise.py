import numpy as np
import pytest
import torch
from disc_scene import SIZE, DiscPasses, make_take, pass_frame, plate_crops
from test_training import Interruption, bytes_of_weights, options, stop_at

from dvp_core.data.errors import DataError
from dvp_core.generator import train
from dvp_core.generator.networks import Window
from dvp_core.generator.pass_noise import shaken
from dvp_core.generator.windows import reduced

COUNT = 200


@pytest.fixture(scope="module")
def window():
    """The same still disc many times, so that all that moves is noise."""
    channels = pass_frame(3, "take").network_channels()
    older = np.concatenate([reduced(channels, 8)] * 10)
    return Window(torch.from_numpy(channels).repeat(COUNT, 1, 1, 1), torch.from_numpy(older).repeat(COUNT, 1, 1, 1))


@pytest.fixture(scope="module")
def noisy(window):
    torch.manual_seed(0)
    return shaken(window, 1.0)


def centres_px(images):
    """Where the disc's middle lies (N, 2), from the images of places."""
    is_disc = (images[:, 3:6].amax(dim=1) > -1).float()
    columns = torch.arange(images.shape[-1]) + 0.5
    weight = is_disc.sum(dim=(1, 2))
    return torch.stack([(is_disc.sum(1) @ columns) / weight, (is_disc.sum(2) @ columns) / weight], dim=1)


def test_no_noise_changes_nothing(window):
    assert shaken(window, 0.0) is window


def test_the_disc_strays_as_far_as_asked(window, noisy):
    strayed = centres_px(noisy.current) - centres_px(window.current[:1])
    assert strayed.mean(dim=0).abs().max() < 0.3
    # the disc lies within some pixels of the middle, where turn and zoom add little
    assert 0.8 < float(strayed.std(dim=0).mean()) < 1.3


def test_a_window_strays_together(window, noisy):
    still, older = window.history.reshape(COUNT, 10, 9, 8, 8), noisy.history.reshape(COUNT, 10, 9, 8, 8)
    weight = torch.arange(8) + 0.5

    def middle(images):
        lit = images[:, :, 3:6].sum(dim=2) + 3
        return (lit.sum(2) @ weight) / lit.sum(dim=(2, 3))

    strayed = middle(older) - middle(still)
    within, between = strayed.std(dim=1).mean(), strayed.mean(dim=1).std()
    assert 0 < within < 0.6 * between


def test_only_values_that_a_renderer_writes_appear(window, noisy):
    for channel in range(3, 9):
        assert set(noisy.current[:, channel].unique().tolist()) <= set(window.current[0, channel].unique().tolist())


def test_light_changes_the_colour_pass_alone_and_leaves_black_black(window, noisy):
    ratio = (noisy.current[:, :3].amax(dim=(2, 3)) + 1) / (window.current[:, :3].amax(dim=(2, 3)) + 1)
    assert 0.01 < float(ratio.std()) < 0.04
    assert float(noisy.current[:, :3].min()) == -1


def test_irises_stray_within_the_face(window, noisy):
    def middle(images):
        lit = (images[:, 6] > 0).float()
        columns = torch.arange(SIZE) + 0.5
        return (lit.sum(1) @ columns) / lit.sum(dim=(1, 2))

    face = centres_px(noisy.current)[:, 0] - centres_px(window.current)[:, 0]
    eyes = middle(noisy.current) - middle(window.current)
    assert 0.3 < float((eyes - face).std()) < 0.9


def test_without_history_there_is_nothing_older_to_shake(window):
    assert shaken(Window(window.current, window.history[:, :0]), 1.0).history.shape[1] == 0


def test_training_is_shaken_and_goes_on_to_the_same_weights(tmp_path):
    take, asked = make_take(), options(pass_noise_px=0.5, steps=4)
    whole = train(take, DiscPasses(take), plate_crops, tmp_path / "whole.safetensors", options=asked)
    resumed = tmp_path / "resumed.safetensors"
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, resumed, options=asked, progress=stop_at(2))
    train(take, DiscPasses(take), plate_crops, resumed, options=asked)
    calm = train(take, DiscPasses(take), plate_crops, tmp_path / "calm.safetensors", options=options(steps=4))
    assert bytes_of_weights(resumed) == bytes_of_weights(whole) != bytes_of_weights(calm)


@pytest.mark.parametrize("noise", [-0.5, 100.0])
def test_senseless_noise_is_refused(noise, tmp_path):
    take = make_take()
    with pytest.raises(DataError, match="pass_noise_px"):
        train(take, DiscPasses(take), plate_crops, tmp_path / "g", options=options(pass_noise_px=noise))
