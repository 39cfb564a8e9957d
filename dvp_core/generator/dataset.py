"""Training frames on disk as memory-mapped arrays, made once from passes and plate crops, read a batch at a time.

A clip is never in memory as a whole: colours are kept at 8 bit, correspondences at 16, and the reduced frames of the
window's history as half floats. Channels stand last, so that a batch needs no transposing on its way into the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json
from dvp_core.data.passes import CHANNELS_PER_FRAME, PassFrame, PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.generator.networks import Window
from dvp_core.generator.options import HoldOut, TrainOptions
from dvp_core.generator.splitting import watched_frames
from dvp_core.generator.windows import reduced

PlateCrops = Callable[[int], np.ndarray]
"""Gives the plate's crop (resolution, resolution, 3) uint8 of a plate frame number."""

STAGE = "training images"
_CACHE_VERSION = 1
_LARGEST_PLACE = 65535
_FEWEST_FRAMES = 2


@dataclass(frozen=True)
class TrainingImages:
    """Memory-mapped frames 0 to N - 1 of a take.

    Attributes:
        colours: (N, H, W, 6) uint8, colour and gaze images.
        places: (N, H, W, 3) uint16, correspondence.
        plates: (N, H, W, 3) uint8, the plate's crop.
        history: (N, H / scale, W / scale, 9) float16, reduced channels in [-1, 1].
        targets: Ascending indices of the frames to learn from; the others only serve windows.
        watched: Ascending indices of the frames that are only measured, see `splitting.py`.
        window: Frames in a window.
    """

    colours: np.ndarray
    places: np.ndarray
    plates: np.ndarray
    history: np.ndarray
    targets: np.ndarray
    watched: np.ndarray
    window: int

    def batch(self, indices: np.ndarray, device: torch.device) -> tuple[Window, Tensor]:
        """Return the windows that end at the given frames, and their plates (batch, 3, H, W) in [-1, 1]."""
        size, reduced_size = self.plates.shape[1], self.history.shape[1]
        older_count = self.window - 1
        current = np.empty((len(indices), size, size, CHANNELS_PER_FRAME), dtype=np.float32)
        older_shape = (len(indices), reduced_size, reduced_size, older_count, CHANNELS_PER_FRAME)
        older = np.empty(older_shape, dtype=np.float32)
        for row, index in enumerate(indices):
            current[row, ..., 0:3] = self.colours[index, ..., 0:3] * np.float32(2 / 255)
            current[row, ..., 3:6] = self.places[index] * np.float32(2 / _LARGEST_PLACE)
            current[row, ..., 6:9] = self.colours[index, ..., 3:6] * np.float32(2 / 255)
            for column, back in enumerate(range(older_count, 0, -1)):
                older[row, :, :, column] = self.history[max(int(index) - back, 0)]
        current -= 1
        target = self.plates[indices] * np.float32(2 / 255) - 1
        flat = older.reshape(*older_shape[:3], older_count * CHANNELS_PER_FRAME)
        return Window(_channels_first(current, device), _channels_first(flat, device)), _channels_first(target, device)


def _channels_first(image: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(image).to(device).permute(0, 3, 1, 2)


def training_indices(take: Take, hold_out: HoldOut) -> np.ndarray:
    """Return ascending indices of the tracked frames that training may see.

    Raises:
        DataError: Fewer than two are left.
    """
    stop = take.clip.hold_out_start if hold_out == "last-third" else take.frame_count
    indices = np.flatnonzero(take.is_tracked[:stop])
    if len(indices) < _FEWEST_FRAMES:
        raise DataError(
            f"only {len(indices)} tracked frames are left to train on",
            where=f"take '{take.subject}'",
            remedy="Use a longer clip; about one minute is good, some hundred frames are the least that looks right",
        )
    return indices


def prepare_training_images(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    folder: Path,
    *,
    options: TrainOptions,
    window: int,
    history_scale: int,
    progress: Progress = no_progress,
) -> TrainingImages:
    """Make the arrays in `folder`, or open those already there from the same take, frames and crop.

    Raises:
        DataError: Passes of another take or crop, a missing pass, a plate crop of another size, a full disk.
    """
    targets = training_indices(take, options.hold_out)
    is_watched = watched_frames(targets, float(take.clip.fps), options, where=f"take '{take.subject}'")
    frame_count = int(targets[-1]) + 1
    identity: dict[str, Any] = {
        "version": _CACHE_VERSION,
        "take_sha256": take.sha256,
        "frame_count": frame_count,
        "history_scale": history_scale,
    }
    if not _is_whole(folder, identity):
        _make(take, passes, plate_crops, folder, identity, progress)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _NAMES}
    return TrainingImages(**arrays, targets=targets[~is_watched], watched=targets[is_watched], window=window)


_NAMES = ("colours", "places", "plates", "history")


def _is_whole(folder: Path, identity: dict[str, Any]) -> bool:
    return (folder / "images.json").is_file() and read_json(folder / "images.json") == identity


def _make(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    folder: Path,
    identity: dict[str, Any],
    progress: Progress,
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _fill(take, passes, plate_crops, temporary, identity, progress)
        (temporary / "images.json").write_bytes(canonical_json(identity))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as error:
        remedy = "Free some disk space or choose another output folder, then run the command again"
        raise DataError(f"training images cannot be written: {error}", where=folder, remedy=remedy) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    folder: Path,
    identity: dict[str, Any],
    progress: Progress,
) -> None:
    count, size, scale = identity["frame_count"], take.crop.resolution_px, identity["history_scale"]
    shapes: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
        "colours": ((count, size, size, 6), np.uint8),
        "places": ((count, size, size, 3), np.uint16),
        "plates": ((count, size, size, 3), np.uint8),
        "history": ((count, size // scale, size // scale, CHANNELS_PER_FRAME), np.float16),
    }
    for name, (shape, dtype) in shapes.items():
        _reserve(folder / f"{name}.npy", shape, np.dtype(dtype))
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
        for name, (shape, dtype) in shapes.items()
    }
    for index in range(count):
        frame = take.clip.start_frame + index
        pass_frame = checked_pass(passes, frame, take.crop, take_sha256=take.sha256)
        channels = pass_frame.network_channels()
        unit = np.moveaxis((channels + 1) / 2, 0, 2)
        arrays["colours"][index] = np.rint(unit[..., [0, 1, 2, 6, 7, 8]].clip(0, 1) * 255)
        arrays["places"][index] = np.rint(unit[..., 3:6].clip(0, 1) * _LARGEST_PLACE)
        arrays["plates"][index] = checked_plate(plate_crops, frame, take.crop)
        arrays["history"][index] = np.moveaxis(reduced(channels, scale), 0, 2)
        progress(STAGE, index + 1, count)
    for array in arrays.values():
        array.flush()


def _reserve(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Claim the disk space now: a full disk under a memory map ends the program without a word."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, int(np.prod(shape)) * dtype.itemsize + 4096)


def checked_pass(passes: PassSource, frame: int, crop: Crop, *, take_sha256: str | None = None) -> PassFrame:
    """Read one frame's passes and check that they belong to the crop, and to the take where one is named.

    Raises:
        DataError: Missing or damaged, or of another crop or take.
    """
    pass_frame = passes.read(frame)
    remedy = "Export the passes again from this take"
    if pass_frame.crop != crop:
        what = f"were rendered for {pass_frame.crop}, not {crop}"
        raise DataError(what, where=f"passes of frame {frame}", remedy=remedy)
    if take_sha256 is not None and pass_frame.take_sha256 != take_sha256:
        raise DataError("belong to another take, or to an edited one", where=f"passes of frame {frame}", remedy=remedy)
    return pass_frame


def checked_plate(plate_crops: PlateCrops, frame: int, crop: Crop) -> np.ndarray:
    """Read one frame's plate crop and check its shape and dtype.

    Raises:
        DataError: It is no uint8 RGB square of the crop's resolution.
    """
    image = plate_crops(frame)
    expected = (crop.resolution_px, crop.resolution_px, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise DataError(
            f"is {image.dtype} {image.shape}, expected uint8 {expected}", where=f"plate crop of frame {frame}"
        )
    return image
