"""One composed frame: the plate, with the generated face where the matte says so.

With the passes of the tracked performance at hand only what the edit changes is replaced, in the plate's colours;
without, the whole head is, in the generator's. Grain is the generator's. Light is mixed, not codes: scene-linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from dvp_core.compose.colour_match import matched_to_plate
from dvp_core.compose.matte import MatteOptions, border_matte, head_matte
from dvp_core.compose.matte_of_edit import edit_matte
from dvp_core.compose.square import crop_plate, resized_square
from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassFrame
from dvp_core.maths.colour import srgb_decode, srgb_encode

DEFAULT_MATTE = MatteOptions()
_LINEAR_OF_LEVEL = srgb_decode(np.arange(256, dtype=np.float32) / 255.0)


class Marking(Protocol):
    """What weaves something invisible into the generated face before it is mixed with the plate."""

    def on(
        self, picture: np.ndarray, *, weight: np.ndarray | None = None, top_px: int = 0, left_px: int = 0
    ) -> np.ndarray:
        """Return sRGB codes (h, w, 3), float32 in 0..1, of a part of the plate that begins there, marked."""
        ...


def compose_frame(
    plate: np.ndarray,
    generated: np.ndarray,
    pass_frame: PassFrame,
    crop: Crop,
    *,
    unedited: PassFrame | None = None,
    options: MatteOptions = DEFAULT_MATTE,
    mark: Marking | None = None,
) -> np.ndarray:
    """Return the plate with the generated face in it; pixels outside the matte are the plate's, bit for bit.

    Args:
        plate: (height, width, 3) uint8, the frame as filmed.
        generated: (R, R, 3) uint8, the generator's square at the crop's resolution.
        pass_frame: The passes it was generated from; its mask says where the face is.
        crop: The square's place in the plate; parts beyond the plate are dropped.
        unedited: The passes of the same frame as tracked. With them pixels that the edit does not touch are the
            plate's too, and a frame that it leaves alone is the plate, bit for bit.
        options: How far the matte reaches.
        mark: What the generated face carries; none of it outside the matte.

    Raises:
        DataError: Pictures that do not fit each other.
    """
    placed = _placed(plate, generated, pass_frame, crop, unedited, options, mark)
    composed = plate.copy()
    if placed is not None:
        own = plate[placed.in_plate]
        mixed = placed.weight * placed.neural + (1.0 - placed.weight) * _LINEAR_OF_LEVEL[own]
        levels = np.rint(255.0 * srgb_encode(np.clip(mixed, 0.0, 1.0)))
        composed[placed.in_plate] = np.where(placed.weight > 0, levels, own).astype(np.uint8)
    return composed


def compose_layers(
    plate: np.ndarray,
    generated: np.ndarray,
    pass_frame: PassFrame,
    crop: Crop,
    *,
    unedited: PassFrame | None = None,
    options: MatteOptions = DEFAULT_MATTE,
    mark: Marking | None = None,
) -> dict[str, np.ndarray]:
    """Return what a composed frame is made of, at the plate's size, so that others can make it again or otherwise.

    `final = matte * neural + (1 - matte) * plate`, from these very numbers.

    Args:
        plate: (height, width, 3) uint8, the frame as filmed.
        generated: (R, R, 3) uint8, the generator's square at the crop's resolution.
        pass_frame: The passes it was generated from.
        crop: The square's place in the plate.
        unedited: The passes of the same frame as tracked, see `compose_frame`.
        options: How far the matte reaches.
        mark: What the generated face carries, in "neural" and so in "final".

    Returns:
        Scene-linear Rec.709 float16 (height, width, 3) "final", "neural", "plate"; float16 (height, width) "matte";
        float32 "depth" (height, width), metres, and "corr" (height, width, 3) of the passes, nearest pixels.
    """
    placed = _placed(plate, generated, pass_frame, crop, unedited, options, mark)
    own = _LINEAR_OF_LEVEL[plate].astype(np.float16)
    neural, matte = np.zeros_like(own), np.zeros(plate.shape[:2], np.float16)
    if placed is not None:
        neural[placed.in_plate] = placed.neural
        matte[placed.in_plate] = placed.weight[..., 0]
    weight = matte[..., None].astype(np.float32)
    final = (weight * neural + (1.0 - weight) * own).astype(np.float16)
    data = {name: _nearest(getattr(pass_frame, name), crop, plate.shape) for name in ("depth", "corr")}
    return {"final": final, "neural": neural, "plate": own, "matte": matte, **data}


@dataclass(frozen=True)
class _Placed:
    """A generated face at its place.

    Attributes:
        in_plate: The part of the plate that the matte touches, h by w pixels.
        weight: (h, w, 1) float32, the matte there.
        neural: (h, w, 3) float32, the generated picture there, scene-linear.
    """

    in_plate: tuple[slice, slice]
    weight: np.ndarray
    neural: np.ndarray


def _placed(
    plate: np.ndarray,
    generated: np.ndarray,
    pass_frame: PassFrame,
    crop: Crop,
    unedited: PassFrame | None,
    options: MatteOptions,
    mark: Marking | None,
) -> _Placed | None:
    """Return the generated face at its place, None where nothing of the plate is replaced."""
    _check(plate, generated, pass_frame, unedited, crop)
    matte = _matte(plate.shape, pass_frame, unedited, options)
    window = _window(plate.shape, crop)
    if window is None or not matte.any():
        return None
    in_plate, in_square = window
    weight = _resized_matte(matte, crop.size_px)[in_square]
    box = _filled_box(weight)
    painted = generated if unedited is None else _in_plate_colours(generated, plate, pass_frame, unedited, matte)
    square = resized_square(painted, crop.size_px)[in_square][box].astype(np.float32) / 255.0
    (top, left), (rows, columns) = (side.start for side in in_plate), box
    there = slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop)
    face, seen = np.clip(square, 0.0, 1.0), np.ascontiguousarray(weight[box])
    if mark is not None and seen.any():
        face = mark.on(face, weight=seen, top_px=there[0].start, left_px=there[1].start)
    return _Placed(there, seen[..., None], srgb_decode(face))


def plate_matte(
    plate_shape: tuple[int, ...],
    pass_frame: PassFrame,
    *,
    unedited: PassFrame | None = None,
    options: MatteOptions = DEFAULT_MATTE,
) -> np.ndarray:
    """Return the matte (height, width) float32 in 0..1 with which `compose_frame` sets a frame into its plate."""
    matte = np.zeros(plate_shape[:2], np.float32)
    window = _window(plate_shape, pass_frame.crop)
    if window is not None:
        in_plate, in_square = window
        own = _matte(plate_shape, pass_frame, unedited, options)
        matte[in_plate] = _resized_matte(own, pass_frame.crop.size_px)[in_square]
    return matte


def _matte(
    plate_shape: tuple[int, ...], pass_frame: PassFrame, unedited: PassFrame | None, options: MatteOptions
) -> np.ndarray:
    own = head_matte([pass_frame.mask], options) if unedited is None else edit_matte(pass_frame, unedited, options)
    return own * border_matte(pass_frame.crop, plate_shape, options)


def _in_plate_colours(
    generated: np.ndarray, plate: np.ndarray, pass_frame: PassFrame, unedited: PassFrame, matte: np.ndarray
) -> np.ndarray:
    is_kept = (matte == 0) & (pass_frame.mask > 0.5) & (unedited.mask > 0.5)
    return matched_to_plate(generated, crop_plate(plate, pass_frame.crop), is_kept)


def _filled_box(weight: np.ndarray) -> tuple[slice, slice]:
    """Return the smallest box of a matte (h, w) outside of which it is zero; empty where all of it is."""
    rows, columns = (np.flatnonzero((weight > 0).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _nearest(picture: np.ndarray, crop: Crop, plate_shape: tuple[int, ...]) -> np.ndarray:
    """Return a pass (R, R, ...) at the plate's size by nearest pixels, zero outside the crop."""
    placed = np.zeros((*plate_shape[:2], *picture.shape[2:]), np.float32)
    window = _window(plate_shape, crop)
    if window is not None:
        in_plate, in_square = window
        source = ((np.arange(crop.size_px) + 0.5) * (crop.resolution_px / crop.size_px)).astype(int)
        placed[in_plate] = picture[source[in_square[0], None], source[in_square[1]]]
    return placed


def _resized_matte(matte: np.ndarray, size_px: int) -> np.ndarray:
    """Return the matte at the plate's scale, never outside 0..1 (Lanczos would ring)."""
    kernel = cv2.INTER_AREA if size_px < len(matte) else cv2.INTER_LINEAR
    return np.clip(cv2.resize(matte, (size_px, size_px), interpolation=kernel), 0.0, 1.0)


def _window(plate_shape: tuple[int, ...], crop: Crop) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Return the part of the plate under the crop and the same part of the crop, None where they do not meet."""
    parts = []
    for start, length in ((crop.y_px, plate_shape[0]), (crop.x_px, plate_shape[1])):
        low, high = max(start, 0), min(start + crop.size_px, length)
        if low >= high:
            return None
        parts.append((slice(low, high), slice(low - start, high - start)))
    (rows, square_rows), (columns, square_columns) = parts
    return (rows, columns), (square_rows, square_columns)


def _check(
    plate: np.ndarray, generated: np.ndarray, pass_frame: PassFrame, unedited: PassFrame | None, crop: Crop
) -> None:
    where = f"frame {pass_frame.frame}"
    if plate.ndim != 3 or plate.shape[2] != 3 or plate.dtype != np.uint8:
        raise DataError(f"plate is {plate.shape} {plate.dtype}, expected RGB of 8 bits", where=where)
    if generated.shape != (crop.resolution_px, crop.resolution_px, 3) or generated.dtype != np.uint8:
        raise DataError(
            f"generated picture is {generated.shape} {generated.dtype}, the crop's resolution is {crop.resolution_px}",
            where=where,
            remedy="Render with the generator that was trained on this crop",
        )
    for passes in (pass_frame, unedited):
        if passes is not None and passes.crop != crop:
            raise DataError(
                f"passes show {passes.crop}, the frame is composed at {crop}",
                where=where,
                remedy="Export the passes again from the take that is composed",
            )
