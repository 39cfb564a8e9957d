"""Analysis by synthesis: finds the parameters of a face model that explain a clip."""

from dvp_core.tracking.conductor import track
from dvp_core.tracking.options import TrackOptions

__all__ = ["TrackOptions", "track"]
