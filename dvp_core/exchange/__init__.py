"""Performances and faces come in and go out in the formats that animators' other tools use."""

from dvp_core.exchange.coefficients import read_names
from dvp_core.exchange.gaze_shapes import with_gaze_from_shapes
from dvp_core.exchange.gltf import write_glb
from dvp_core.exchange.live_link import read_live_link
from dvp_core.exchange.live_link_out import write_live_link
from dvp_core.exchange.mirroring import mirrored
from dvp_core.exchange.of_take import performance_of
from dvp_core.exchange.onto_take import Mapping, Undriven, onto_take
from dvp_core.exchange.performance import Flip, Performance, Reading, ReadingOptions, in_order
from dvp_core.exchange.reading import read_performance
from dvp_core.exchange.table_out import write_table
from dvp_core.exchange.usd import write_usd

__all__ = [
    "Flip",
    "Mapping",
    "Performance",
    "Reading",
    "ReadingOptions",
    "Undriven",
    "in_order",
    "mirrored",
    "onto_take",
    "performance_of",
    "read_live_link",
    "read_names",
    "read_performance",
    "with_gaze_from_shapes",
    "write_glb",
    "write_live_link",
    "write_table",
    "write_usd",
]
