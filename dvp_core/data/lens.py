"""How a lens bends the picture of a plate, and its file form (JSON)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically

_REMEDY = 'Write {"version":1,"size_wh":[1920,1080],"focal_px":[1800,1800],"principal_px":[960,540],"k1":-0.1}'


@dataclass(frozen=True)
class LensDistortion:
    """The lens of a plate: Brown's radial and tangential distortion (Brown 1966) in OpenCV's order and signs.

    Attributes:
        size_wh: Width and height of the plate that was calibrated, in pixels.
        focal_px: Focal length in pixels along x and y; they differ where pixels are not square.
        principal_px: Where the optical axis meets the picture, (x, y), pixel centres at +0.5: half a pixel more than
            OpenCV's `cx`, `cy`.
        k1: Radial coefficient of r^2.
        k2: Radial coefficient of r^4.
        p1: Tangential coefficient.
        p2: Tangential coefficient.
        k3: Radial coefficient of r^6.
    """

    size_wh: tuple[int, int]
    focal_px: tuple[float, float]
    principal_px: tuple[float, float]
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    def __post_init__(self) -> None:
        pairs = (self.size_wh, self.focal_px, self.principal_px)
        if any(len(pair) != 2 for pair in pairs) or not np.isfinite([*self.principal_px, *self.coefficients]).all():
            raise DataError("has values that are not finite or not pairs", where="lens", remedy=_REMEDY)
        if min(self.size_wh) < 2 or not np.isfinite(self.focal_px).all() or min(self.focal_px) <= 0:
            raise DataError("needs a size and a positive focal length", where="lens", remedy=_REMEDY)

    @property
    def coefficients(self) -> tuple[float, float, float, float, float]:
        """k1, k2, p1, p2, k3."""
        return self.k1, self.k2, self.p1, self.p2, self.k3


def lens_to_dict(lens: LensDistortion) -> dict[str, Any]:
    """Return the JSON form of a lens."""
    return {"version": 1, **asdict(lens)}


def write_lens(path: Path | str, lens: LensDistortion) -> None:
    """Write a lens as JSON."""
    write_bytes_atomically(path, canonical_json(lens_to_dict(lens)))


def read_lens(path: Path | str) -> LensDistortion:
    """Read a lens; coefficients that are not there are zero.

    Raises:
        DataError: No such file, no lens, or a name that no lens has.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != 1:
        raise DataError("is no lens of version 1", where=path, remedy=_REMEDY)
    names = {field.name for field in fields(LensDistortion)}
    unknown = sorted(set(content) - names - {"version"})
    if unknown:
        raise DataError(f"holds {', '.join(unknown)}, which no lens has", where=path, remedy=_REMEDY)
    try:
        return LensDistortion(
            size_wh=_whole(content["size_wh"]),
            focal_px=_pair(content["focal_px"]),
            principal_px=_pair(content["principal_px"]),
            **{name: float(content[name]) for name in ("k1", "k2", "p1", "p2", "k3") if name in content},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is no lens ({error!r})", where=path, remedy=_REMEDY) from error
    except DataError as error:
        raise DataError(error.what, where=path, remedy=error.remedy) from error


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _whole(values: Any) -> tuple[int, int]:
    first, second = values
    if int(first) != first or int(second) != second:
        raise ValueError(f"{values} are no whole pixels")
    return int(first), int(second)
