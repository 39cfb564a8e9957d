"""Reading movies and image sequences, and encoding movies and pictures to temporary files.

Everything that touches FFmpeg (through PyAV) lives here. Nothing here publishes: what is encoded here gets its final
name and its label from `dvp_core.trust`.
"""

from dvp_core.video.cuts import find_cuts
from dvp_core.video.encoding import EncodeOptions, encode_movie
from dvp_core.video.images import IMAGE_SUFFIXES, ImageSource, read_image
from dvp_core.video.movie import MovieSource
from dvp_core.video.opening import DEFAULT_IMAGE_FPS, check_readable, clip_sha256, open_clip
from dvp_core.video.png import encode_png, read_png_text, write_png
from dvp_core.video.sound import PlateSound, dubbed_sound, plate_sound
from dvp_core.video.sound_samples import read_sound
from dvp_core.video.undistorted import UndistortedSource, undistorted

__all__ = [
    "DEFAULT_IMAGE_FPS",
    "IMAGE_SUFFIXES",
    "EncodeOptions",
    "ImageSource",
    "MovieSource",
    "PlateSound",
    "UndistortedSource",
    "check_readable",
    "clip_sha256",
    "dubbed_sound",
    "encode_movie",
    "encode_png",
    "find_cuts",
    "open_clip",
    "plate_sound",
    "read_image",
    "read_png_text",
    "read_sound",
    "undistorted",
    "write_png",
]
