# Blender's modules are compiled and carry no types; everything in them is of unknown type.
from _typeshed import Incomplete

def __getattr__(name: str) -> Incomplete: ...
