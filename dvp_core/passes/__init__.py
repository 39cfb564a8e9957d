"""Conditioning images: one file per image, the function that draws a frame of them, and their EXR files."""

from dvp_core.passes.exr import PassHeader, header_attributes, read_pass_frame, read_pass_header, write_pass_frame
from dvp_core.passes.folder import PassFolder, pass_path
from dvp_core.passes.render import render_pass_frame, render_passes
from dvp_core.passes.rendered import RenderedPasses

__all__ = [
    "PassFolder",
    "PassHeader",
    "RenderedPasses",
    "header_attributes",
    "pass_path",
    "read_pass_frame",
    "read_pass_header",
    "render_pass_frame",
    "render_passes",
    "write_pass_frame",
]
