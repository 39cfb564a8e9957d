import pytest
import torch

from dvp_core.generator.networks import (
    PatchDiscriminator,
    TranslationConfig,
    TranslationNetwork,
    Window,
    build_network,
    config_of_preset,
)
from dvp_core.generator.networks.depth_layers import DepthLayers
from dvp_core.generator.networks.dvp2018 import down_channels
from dvp_core.generator.networks.fast import pixel_grid
from dvp_core.generator.networks.head_frame import HeadFrame, fitted_head_frame, solved
from dvp_core.generator.networks.neural_texture import lookup


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def window_of(config, batch=1):
    size, older = config.resolution_px, 9 * (config.window - 1)
    random = torch.Generator().manual_seed(1)
    current = torch.rand(batch, 9, size, size, generator=random) * 2 - 1
    reduced = size // config.history_scale
    return Window(current, torch.rand(batch, older, reduced, reduced, generator=random) * 2 - 1)


def test_the_papers_network_has_its_published_size():
    with torch.device("meta"):
        generator, discriminator = TranslationNetwork(TranslationConfig()), PatchDiscriminator(102)
    assert count(generator) == pytest.approx(74.9e6, rel=0.002)
    assert count(discriminator) == pytest.approx(2.87e6, rel=0.002)


def test_the_papers_network_has_its_published_shape():
    config = TranslationConfig()
    assert down_channels(config) == [64, 128, 256, 512, 512, 512, 512, 512]
    with torch.device("meta"):
        network = TranslationNetwork(config)
    assert len(network.down) == len(network.up) == 8
    assert network.down[0][0].in_channels == 99
    kinds = [type(layer).__name__ for layer in network.up[0]]
    refined = ["Conv2d", "BatchNorm2d", "Dropout", "ReLU"]
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "Dropout", "ReLU", *refined, *refined]
    assert [module[2].p for module in network.up[:7]] == [0.5, 0.5, 0.5, 0, 0, 0, 0]
    widths = [module[0].out_channels for module in network.up]
    assert widths == [512, 512, 512, 512, 256, 128, 64, 3]


def test_the_discriminator_has_one_logit_a_patch():
    logits = PatchDiscriminator(12, width=4)(torch.zeros(2, 12, 64, 64))
    assert logits.shape == (2, 1, 6, 6)


@pytest.mark.parametrize("preset", ["fast", "best", "dvp2018", "pix2pix"])
def test_every_preset_paints_a_picture_of_its_resolution(preset):
    config = config_of_preset(preset, resolution_px=64, width=8)
    network = build_network(config).eval()
    image = network(window_of(config, batch=2))
    assert image.shape == (2, 3, 64, 64)
    assert torch.isfinite(image).all()


@pytest.mark.parametrize("preset", ["fast", "dvp2018"])
def test_every_weight_of_a_network_takes_part(preset):
    torch.manual_seed(0)
    config = config_of_preset(preset, resolution_px=32, width=8)
    network = build_network(config)
    for parameter in network.parameters():  # the branches that start silent hide what lies before them
        torch.nn.init.normal_(parameter.data, 0.0, 0.1)
    window = window_of(config, batch=3)
    window.current[:, 3:6, :16] = -1  # beside the face
    (network(window) * torch.randn(3, 3, 32, 32)).sum().backward()
    # a bias before batch normalisation or a convolution seen by one pixel may have a tiny gradient, never none
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    idle = [name for name, parameter in network.named_parameters() if float(parameter.grad.abs().max()) == 0]
    assert idle == []


def test_the_fast_network_is_the_same_for_a_frame_alone_and_in_a_batch():
    config = config_of_preset("fast", resolution_px=32, width=8)
    torch.manual_seed(3)
    network = build_network(config)
    torch.nn.init.normal_(network.output.weight, 0, 0.1)
    window = window_of(config, batch=3)
    alone = network(Window(window.current[1:2], window.history[1:2]))
    torch.testing.assert_close(network(window)[1:2], alone, rtol=1e-4, atol=1e-5)


def test_the_fast_network_reads_the_older_frames():
    config = config_of_preset("fast", resolution_px=32, width=8)
    torch.manual_seed(3)
    network = build_network(config)
    torch.nn.init.normal_(network.output.weight, 0, 0.5)
    window = window_of(config)
    other = Window(window.current, -window.history)
    assert (network(window) - network(other)).abs().max() > 1e-3


def test_lookup_returns_texel_values_at_texel_centres():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    rows, columns = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    places = torch.stack([(columns + 0.5) / 2 - 1, (rows + 0.5) / 1.5 - 1], dim=-1)[None]
    torch.testing.assert_close(lookup(image, places), image)


def test_what_lies_behind_a_surface_has_a_storey_of_its_own():
    layers = DepthLayers(32)
    line = torch.linspace(-1, 1, 200)
    x, y = (axis.flatten() for axis in torch.meshgrid(line, line, indexing="xy"))
    lips, teeth = torch.stack([x, y, 0.6 + 0.2 * x]), torch.stack([x, y, 0.4 + 0.2 * x])
    unmeasured = layers.places(teeth[None, :, None])
    assert (unmeasured[..., 1] <= 0).all()
    layers.measure(teeth)
    layers.measure(lips)
    in_front, behind = (layers.places(points[None, :, None])[0, 0] for points in (lips, teeth))
    assert (in_front[:, 1] <= 0).all()
    assert (behind[:, 1] >= 0).all()
    torch.testing.assert_close(in_front, torch.stack([x, (y - 1) / 2], dim=-1))
    torch.testing.assert_close(behind, torch.stack([x, (y + 1) / 2], dim=-1))


DEPTH = torch.tensor([0.1, -0.05])


def affine_picture(linear, offset, size=96):
    """Correspondence, mask and grid of a face that an affine camera shows."""
    random = torch.Generator().manual_seed(5)
    grid = pixel_grid(size, torch.device("cpu"))
    depth = torch.rand(1, size, size, 1, generator=random) - 0.5
    flat = (grid - offset - depth * DEPTH) @ torch.linalg.inv(linear).T
    correspondence = torch.cat([flat, depth], dim=-1).movedim(-1, 1)
    return correspondence, (correspondence.abs().amax(dim=1, keepdim=True) < 1).float(), grid


def test_the_head_frame_finds_the_camera_that_shows_the_face():
    linear, offset = torch.tensor([[0.5, 0.1], [-0.1, 0.4]]), torch.tensor([0.2, -0.1])
    frame = fitted_head_frame(*affine_picture(linear, offset))
    torch.testing.assert_close(frame.linear[0], linear, atol=2e-3, rtol=0)
    torch.testing.assert_close(frame.offset[0], offset, atol=2e-3, rtol=0)
    torch.testing.assert_close(frame.depth[0], DEPTH, atol=2e-3, rtol=0)
    places = torch.rand(1, 5, 7, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(frame.to_plane(frame.to_picture(places)), places, atol=1e-5, rtol=0)
    other = HeadFrame(frame.linear.flip(2) * 1.3, frame.depth, frame.offset + 0.2)
    expected = other.to_picture(frame.to_plane(places))
    torch.testing.assert_close(other.after_leaving(frame).to_picture(places), expected, atol=1e-5, rtol=0)


def test_elimination_solves_as_the_library_does():
    torch.manual_seed(0)
    root, right = torch.randn(5, 4, 4, dtype=torch.float64), torch.randn(5, 4, 2, dtype=torch.float64)
    matrices = root @ root.transpose(1, 2) + 1e-4 * torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(solved(matrices, right), torch.linalg.solve(matrices, right), atol=1e-9, rtol=1e-7)


def test_without_a_face_the_head_frame_is_the_pictures():
    correspondence, mask, grid = affine_picture(torch.eye(2), torch.zeros(2))
    frame = fitted_head_frame(torch.full_like(correspondence, -1), torch.zeros_like(mask), grid)
    torch.testing.assert_close(frame.to_picture(grid), grid)
