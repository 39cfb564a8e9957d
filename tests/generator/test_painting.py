import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from dvp_core.data.passes import CHANNELS_PER_FRAME
from dvp_core.generator.fused import FusedConvolution, FusedEnlargement, filter_of, fused
from dvp_core.generator.networks import Window, build_network, config_of_preset
from dvp_core.generator.painting import made_to_paint
from dvp_core.generator.synthesise import deterministic

SIZE = 64
PRESETS = ("fast", "best", "dvp2018", "pix2pix")


def lively_network(preset):
    """A narrow network whose weights and running statistics are as large as trained ones: it paints something."""
    torch.manual_seed(3)
    network = build_network(config_of_preset(preset, resolution_px=SIZE, width=16))
    for parameter in network.parameters():
        if parameter.dim() == 4:
            nn.init.normal_(parameter, 0, 0.7 * parameter[0].numel() ** -0.5)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


def random_windows(config, count, seed=0):
    draw = torch.Generator().manual_seed(seed)
    small, older = SIZE // config.history_scale, CHANNELS_PER_FRAME * (config.window - 1)
    current = torch.rand(count, SIZE, SIZE, CHANNELS_PER_FRAME, generator=draw) * 2 - 1
    current[:, SIZE // 2 :] = -1
    history = torch.rand(count, small, small, older, generator=draw) * 2 - 1
    return Window(current.permute(0, 3, 1, 2), history.permute(0, 3, 1, 2))


def rows(window, order):
    return Window(window.current[order], window.history[order])


def paint(network, window, threads=1):
    with torch.inference_mode(), deterministic(threads):
        return network(window).clone()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_network_made_to_paint_gives_the_picture_it_was_trained_for(preset):
    network = lively_network(preset)
    window = random_windows(network.config, 2)
    expected = paint(network, window)
    made = paint(made_to_paint(copy.deepcopy(network), torch.float32), window)
    assert expected.std() > 0.05
    torch.testing.assert_close(made, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("preset", PRESETS)
def test_half_precision_changes_a_level_or_two(preset):
    network = lively_network(preset)
    window = random_windows(network.config, 1)
    exact = paint(network, window)
    halved = paint(made_to_paint(copy.deepcopy(network), torch.bfloat16), window)
    assert halved.dtype == torch.float32
    assert 1e-4 < (halved - exact).abs().mean() * 127.5 < 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("preset", PRESETS)
def test_neighbours_and_place_in_a_batch_change_no_bit_of_a_frame(preset, dtype):
    network = made_to_paint(lively_network(preset), dtype)
    window, others = random_windows(network.config, 4), random_windows(network.config, 4, seed=1)
    together = paint(network, window)
    turned = paint(network, rows(window, [2, 3, 0, 1]))
    assert torch.equal(together, turned[[2, 3, 0, 1]])
    mixed = Window(others.current.clone(), others.history.clone())
    mixed.current[3], mixed.history[3] = window.current[1], window.history[1]
    assert torch.equal(paint(network, mixed)[3], together[1])


def test_packed_weights_follow_the_input_size():
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, 3, 1, 1)
    convolution = FusedConvolution(filter_of(layer), torch.float32)
    for shape in ((1, 8, 16, 16), (3, 8, 5, 9), (1, 8, 16, 16)):
        features = torch.rand(shape)
        torch.testing.assert_close(convolution(features), layer(features), atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_narrow_enlargement_is_the_transposed_convolution(channels):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(6, channels, 4, 2, 1)
    features = torch.rand(2, 6, 5, 8)
    made = fused([layer, nn.LeakyReLU(0.2)], torch.float32)
    assert isinstance(made[0], FusedEnlargement)
    torch.testing.assert_close(made(features), functional.leaky_relu(layer(features), 0.2), atol=1e-6, rtol=0)


def test_what_cannot_be_folded_is_refused():
    layer = nn.Conv2d(4, 4, 3, 1, 1)
    with pytest.raises(ValueError, match="GroupNorm"):
        fused([layer, nn.GroupNorm(2, 4)], torch.float32)
    with pytest.raises(ValueError, match="BatchNorm2d"):
        fused([layer, nn.ReLU(), nn.BatchNorm2d(4)], torch.float32)
    with pytest.raises(ValueError, match="cannot be fused"):
        filter_of(nn.Conv2d(4, 4, 3, groups=2))
