"""The science of Deep Video Portraits: face, tracker, rasteriser, generator, compositing, trust.

Each sub-package is one room of the line of data (see ARCHITECTURE.md); nothing is imported here, so that
the light rooms load inside Blender, which has no torch, Ray or OpenCV.
"""

__version__ = "0.1.0"
