"""Changes to a performance as keyed curves, and their file form (JSON)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically

Mode = Literal["add", "replace"]
HEAD_CHANNELS = ("head.yaw_deg", "head.pitch_deg", "head.roll_deg", "head.x_m", "head.y_m", "head.z_m")
GAZE_CHANNELS = ("gaze.yaw_deg", "gaze.pitch_deg")


@dataclass(frozen=True)
class Curve:
    """Keys of one channel; between keys values run linearly, outside them nothing is changed beyond the end keys.

    Attributes:
        channel: "expression.<name>", or one of `HEAD_CHANNELS` or `GAZE_CHANNELS`.
        frames: Plate frames of the keys, ascending.
        values: One value a key; degrees, metres, or an expression's 0..1.
        mode: "add" to the tracked value, or "replace" it between the first and the last key.
    """

    channel: str
    frames: tuple[float, ...]
    values: tuple[float, ...]
    mode: Mode = "add"

    def __post_init__(self) -> None:
        is_known = self.channel.startswith("expression.") or self.channel in HEAD_CHANNELS + GAZE_CHANNELS
        if not is_known:
            known = ", ".join(("expression.<name>", *HEAD_CHANNELS, *GAZE_CHANNELS))
            raise DataError(f"'{self.channel}' is no channel", where="edit", remedy=f"Use one of {known}")
        if not self.frames or len(self.frames) != len(self.values):
            raise DataError("needs one value for every key, and a key at least", where=f"edit {self.channel}")
        if (np.diff(self.frames) <= 0).any() or not np.isfinite((*self.frames, *self.values)).all():
            raise DataError("has keys that do not ascend or are not finite", where=f"edit {self.channel}")
        if self.mode not in ("add", "replace"):
            raise DataError(f"has mode '{self.mode}', expected add or replace", where=f"edit {self.channel}")


@dataclass(frozen=True)
class Edit:
    """A set of curves, applied in their order."""

    curves: tuple[Curve, ...]


def write_edit(path: Path | str, edit: Edit) -> None:
    """Write an edit as JSON."""
    curves = [
        {"channel": c.channel, "frames": list(c.frames), "values": list(c.values), "mode": c.mode} for c in edit.curves
    ]
    write_bytes_atomically(path, canonical_json({"version": 1, "curves": curves}))


def read_edit(path: Path | str) -> Edit:
    """Read an edit.

    Raises:
        DataError: No such file, or not an edit.
    """
    content = read_json(path)
    try:
        return Edit(tuple(_curve_from(item) for item in content["curves"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is no edit ({error!r})", where=path) from error


def _curve_from(item: dict[str, Any]) -> Curve:
    return Curve(
        channel=str(item["channel"]),
        frames=tuple(float(frame) for frame in item["frames"]),
        values=tuple(float(value) for value in item["values"]),
        mode=item.get("mode", "add"),
    )
