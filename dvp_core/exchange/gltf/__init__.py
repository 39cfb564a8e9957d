"""glTF 2.0, written with numpy and the standard library; docs/decisions/0010 says why."""

from dvp_core.exchange.gltf.writing import write_glb

__all__ = ["write_glb"]
