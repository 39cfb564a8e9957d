"""The one place that decides how a decoded frame's YCbCr becomes RGB, and RGB becomes YCbCr.

A movie is decoded by its own tags. Where it has none, by the height of the picture: BT.601 below 720 lines, BT.709
from there on, limited range, which is what players assume. High dynamic range and wide-gamut movies are refused
instead of being shown wrongly; nothing here maps tones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, ColorTrc, Interpolation

from dvp_core.data.errors import DataError

# Codes of ITU-T H.273 (colour matrices), as FFmpeg reports them.
_MATRIX_IDENTITY, _MATRIX_BT709, _MATRIX_UNSPECIFIED = 0, 1, 2
_MATRIX_FCC, _MATRIX_BT470BG, _MATRIX_SMPTE170M, _MATRIX_SMPTE240M = 4, 5, 6, 7
_SWSCALE_MATRIX = {
    _MATRIX_IDENTITY: Colorspace.ITU709,
    _MATRIX_BT709: Colorspace.ITU709,
    _MATRIX_FCC: Colorspace.FCC,
    _MATRIX_BT470BG: Colorspace.ITU601,
    _MATRIX_SMPTE170M: Colorspace.ITU601,
    _MATRIX_SMPTE240M: Colorspace.SMPTE240M,
}
_LINES_OF_HIGH_DEFINITION = 720
_HDR_TRANSFERS = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}

# Without these flags swscale takes short cuts that cost up to three levels and one level of mean error.
EXACT_SCALING = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)


@dataclass(frozen=True)
class ColourTags:
    """How the numbers of a picture stand for colours.

    Attributes:
        matrix: swscale's number of the YCbCr matrix.
        is_full_range: Black is 0 and white 255, not 16 and 235.
    """

    matrix: int
    is_full_range: bool

    @property
    def color_range(self) -> int:
        """FFmpeg's number of the range."""
        return int(ColorRange.JPEG if self.is_full_range else ColorRange.MPEG)


def colour_tags(matrix: int, color_range: int, pixel_format: str, height_px: int) -> ColourTags:
    """Return how to decode a picture from its own tags, or by its height where it has none.

    Args:
        matrix: Colour matrix code of ITU-T H.273; 2 is unspecified.
        color_range: FFmpeg's range code: 0 unspecified, 1 limited, 2 full.
        pixel_format: FFmpeg's name of the pixel format; `yuvj...` means full range.
        height_px: Coded height of the picture.

    Raises:
        DataError: A matrix that Rec.709 pictures do not have (BT.2020 and later).
    """
    if matrix == _MATRIX_UNSPECIFIED:
        matrix = _MATRIX_SMPTE170M if height_px < _LINES_OF_HIGH_DEFINITION else _MATRIX_BT709
    if matrix not in _SWSCALE_MATRIX:
        raise DataError(f"has colour matrix {matrix} of ITU-T H.273, which is not read", remedy=_CONVERT_REMEDY)
    is_full_range = color_range == ColorRange.JPEG or pixel_format.startswith("yuvj")
    return ColourTags(matrix=int(_SWSCALE_MATRIX[matrix]), is_full_range=is_full_range)


_CONVERT_REMEDY = "Convert the movie to standard dynamic range, Rec.709, in your editing program"


def frame_to_rgb(frame: VideoFrame, *, where: str | Path) -> np.ndarray:
    """Return a decoded frame as sRGB-encoded RGB, shape (height, width, 3), uint8.

    Raises:
        DataError: The frame is of high dynamic range or wide gamut.
    """
    if frame.color_trc in _HDR_TRANSFERS:
        name = _HDR_TRANSFERS[frame.color_trc]
        raise DataError(f"is of high dynamic range ({name})", where=where, remedy=_CONVERT_REMEDY)
    if frame.format.is_rgb or frame.format.name == "pal8":
        return _packed_rgb(frame.reformat(format="rgb24", interpolation=EXACT_SCALING))
    try:
        tags = colour_tags(frame.colorspace, frame.color_range, frame.format.name, frame.height)
    except DataError as error:
        raise DataError(error.what, where=where, remedy=error.remedy) from error
    rgb = frame.reformat(
        format="rgb24",
        interpolation=EXACT_SCALING,
        src_colorspace=tags.matrix,
        src_color_range=tags.color_range,
        dst_color_range=int(ColorRange.JPEG),
    )
    return _packed_rgb(rgb)


def frame_to_thumbnail(frame: VideoFrame, longest_px: int) -> np.ndarray:
    """Return a decoded frame as a small RGB picture, (height, width, 3) uint8, quickly and whatever its tags."""
    scale = min(1.0, longest_px / max(frame.width, frame.height))
    width_px, height_px = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    small = frame.reformat(width=width_px, height=height_px, format="rgb24", interpolation=Interpolation.AREA)
    return _packed_rgb(small)


def _packed_rgb(frame: VideoFrame) -> np.ndarray:
    return np.ascontiguousarray(frame.to_ndarray(), dtype=np.uint8)


def rgb_to_frame(image: np.ndarray, *, pixel_format: str) -> VideoFrame:
    """Return RGB of shape (height, width, 3), uint8, as a frame of `pixel_format`: BT.709 limited, or RGB untouched."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    if not pixel_format.startswith("yuv"):
        return frame.reformat(format=pixel_format, interpolation=EXACT_SCALING)
    return frame.reformat(
        format=pixel_format,
        interpolation=EXACT_SCALING,
        src_color_range=int(ColorRange.JPEG),
        dst_colorspace=int(Colorspace.ITU709),
        dst_color_range=int(ColorRange.MPEG),
    )
