import pytest
import render_speed
import torch

SIZE = 32


@pytest.fixture(scope="module")
def bench():
    return render_speed.Bench("pix2pix", SIZE, torch.device("cpu"), 2, "wall")


def test_operations_are_two_a_multiplication(bench):
    widths = [9, 64, 128, 256, 512, 512]
    sides = [SIZE >> level for level in range(6)]
    down = sum(16 * a * b * side**2 for a, b, side in zip(widths, widths[1:], sides[1:], strict=False))
    up, incoming = 0, 512
    for width, side in zip([512, 256, 128, 64], sides[:0:-1], strict=False):
        up += 16 * incoming * width * side**2 + 2 * 9 * width**2 * (2 * side) ** 2
        incoming = 2 * width
    output = 16 * 128 * 3 * sides[1] ** 2 + 2 * 9 * 3**2 * SIZE**2
    for size in (1, 3):
        assert bench.flop(bench.window(size)) == 2 * size * (down + up + output)


def test_a_share_is_a_rate_over_the_products():
    share = render_speed._share(50, [1.0, 0.5], 100, [1.0, 1.0])
    assert share == {"best": 1.0, "median": 0.75}


def test_a_stream_and_a_batch_are_timed(bench):
    assert 0 < bench.stream()["ms_per_frame"]["best"] < 10_000
    assert bench.layers(bench.window(1))[0]["layer"] == "down.0.0"
