"""Performances and faces come in and go out in the formats that animators' other tools use."""

from dvp_core.exchange.live_link import LiveLinkOptions, read_live_link
from dvp_core.exchange.live_link_out import write_live_link
from dvp_core.exchange.of_take import performance_of
from dvp_core.exchange.onto_take import Mapping, onto_take
from dvp_core.exchange.performance import Performance, Reading, in_order

__all__ = [
    "LiveLinkOptions",
    "Mapping",
    "Performance",
    "Reading",
    "in_order",
    "onto_take",
    "performance_of",
    "read_live_link",
    "write_live_link",
]
