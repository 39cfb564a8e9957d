"""The shared eye: triangles to pixels.

`reference.py` (numpy) is the truth, `compiled.py` (numba) its bit-identical twin, `torch_twin.py` the one for
graphics cards. Nothing here knows a face, a camera or a light: it takes points in pixels and their depths.
"""

from dvp_core.raster.door import Backend, rasterize
from dvp_core.raster.interpolation import interpolate
from dvp_core.raster.raster import Raster

__all__ = ["Backend", "Raster", "interpolate", "rasterize"]
