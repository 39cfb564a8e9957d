"""Patches of known colour through every matrix and range, tagged and untagged."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.video import encode_movie, open_clip
from dvp_core.video.colour_tags import colour_tags

# Luma weights (Kr, Kb) of ITU-R BT.601 and BT.709; the rest of a YCbCr matrix follows from them.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
MATRIX_CODE = {"bt601": 6, "bt709": 1, None: 2}
PATCHES = np.array(
    [
        *([255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 30, 40]),
        *([30, 180, 60], [40, 60, 200], [224, 172, 140], [90, 60, 50]),
    ]
)


def patch_planes(matrix: str, *, is_full: bool, size_px: int = 16) -> list[np.ndarray]:
    """Y, Cb, Cr planes (4:4:4) of the patches side by side, by the formula of the standards."""
    red_weight, blue_weight = WEIGHTS[matrix]
    red, green, blue = PATCHES.T / 255
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = [(blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)]
    scale = [(255, 0), (255, 128), (255, 128)] if is_full else [(219, 16), (224, 128), (224, 128)]
    values = [np.rint(plane * gain + offset) for plane, (gain, offset) in zip([luma, *chroma], scale, strict=True)]
    return [np.repeat(value, size_px)[None].repeat(size_px, axis=0).clip(0, 255).astype(np.uint8) for value in values]


def write_patches(path, planes: list[np.ndarray], *, code: int, range_code: int, lines: int = 16) -> None:
    """Encode the planes without loss, saying or not saying what they are."""
    planes = [np.tile(plane, (lines // 16, 1)) for plane in planes]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = planes[0].shape[1], planes[0].shape[0], "yuv444p"
        stream.codec_context.colorspace = code
        stream.codec_context.color_range = range_code
        frame = av.VideoFrame.from_ndarray(np.stack(planes), format="yuv444p")
        frame.colorspace, frame.color_range = code, range_code
        for index in range(2):
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def decoded_patches(path) -> np.ndarray:
    return open_clip(path).read(1)[8, 8::16].astype(int)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("is_full", [False, True])
def test_tagged_movie_decodes_by_its_tags(tmp_path, matrix, is_full):
    write_patches(
        tmp_path / "p.mp4", patch_planes(matrix, is_full=is_full), code=MATRIX_CODE[matrix], range_code=1 + is_full
    )
    assert np.abs(decoded_patches(tmp_path / "p.mp4") - PATCHES).max() <= 2


@pytest.mark.parametrize(("lines", "matrix"), [(704, "bt601"), (720, "bt709")])
def test_untagged_movie_decodes_by_its_height(tmp_path, lines, matrix):
    write_patches(tmp_path / "p.mp4", patch_planes(matrix, is_full=False), code=2, range_code=0, lines=lines)
    assert np.abs(decoded_patches(tmp_path / "p.mp4") - PATCHES).max() <= 2


def test_the_matrices_differ_enough_to_be_told_apart(tmp_path):
    write_patches(tmp_path / "p.mp4", patch_planes("bt601", is_full=False), code=1, range_code=1)
    assert np.abs(decoded_patches(tmp_path / "p.mp4") - PATCHES).max() > 10


def test_own_movies_come_back_within_two_levels(tmp_path):
    image = np.repeat(np.repeat(PATCHES[None], 64, axis=0), 32, axis=1).astype(np.uint8)
    encode_movie(tmp_path / "own.mp4", [image] * 3, fps=Fraction(25))
    assert np.abs(open_clip(tmp_path / "own.mp4").read(2)[32, 16::32].astype(int) - PATCHES).max() <= 2


def test_wide_gamut_is_refused():
    with pytest.raises(DataError, match="colour matrix 9"):
        colour_tags(9, 1, "yuv420p10le", 1080)
