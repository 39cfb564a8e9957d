"""Performances and faces come in and go out in the formats that animators' other tools use."""

from dvp_core.exchange.onto_take import Mapping, onto_take
from dvp_core.exchange.performance import Performance, Reading, in_order

__all__ = ["Mapping", "Performance", "Reading", "in_order", "onto_take"]
