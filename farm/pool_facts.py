"""What a backend can say about itself to people: its workers, the machines they run on, and Ray's own page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerFacts:
    """A worker; `machine` is empty until it has said where it runs."""

    name: str
    machine: str
    is_ready: bool


@dataclass(frozen=True)
class MachineFacts:
    """A machine of the cluster and what the farm may use of it."""

    name: str
    is_alive: bool
    cpu_count: float
    gpu_count: float


@dataclass(frozen=True)
class PoolFacts:
    """A backend's workers and machines.

    Attributes:
        workers: In the order in which they were started.
        machines: Each machine once.
        dashboard_url: Ray's page about the cluster; None where there is none.
    """

    workers: tuple[WorkerFacts, ...] = ()
    machines: tuple[MachineFacts, ...] = ()
    dashboard_url: str | None = None


def machine_of_ray(node: Mapping[str, Any]) -> MachineFacts:
    """Return a machine from what `ray.nodes` tells of it."""
    resources = node["Resources"]
    return MachineFacts(
        node["NodeManagerHostname"],
        node["Alive"],
        cpu_count=resources.get("CPU", 0),
        gpu_count=resources.get("GPU", 0),
    )
