"""The built-in face: a parametric head made from a few hundred anatomical points, without any scan or download."""

from dvp_core.face.built_in.build import built_in_face

__all__ = ["built_in_face"]
