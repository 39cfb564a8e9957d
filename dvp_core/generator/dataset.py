"""Training frames on disk as memory-mapped arrays, made once from passes and plate crops, read a batch at a time.

A clip is never in memory as a whole: colours are kept at 8 bit, correspondences at 16, and the reduced frames of the
window's history as half floats. Channels stand last, so that a batch needs no transposing on its way into the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
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
from dvp_core.generator.footage import Footage, PlateCrops
from dvp_core.generator.networks import Window
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.splitting import Split, split_of
from dvp_core.generator.windows import reduced

STAGE = "training images"
_CACHE_VERSION = 2
_LARGEST_PLACE = 65535


@dataclass(frozen=True)
class TrainingImages:
    """Memory-mapped frames of all takes in one row, N in all.

    Attributes:
        colours: (N, H, W, 6) uint8, colour and gaze images.
        places: (N, H, W, 3) uint16, correspondence.
        plates: (N, H, W, 3) uint8, the plate's crop.
        history: (N, H / scale, W / scale, 9) float16, reduced channels in [-1, 1].
        clip_starts: (N,) row of the first frame of each frame's clip, before which no window reaches.
        targets: Ascending indices of the frames to learn from; the others only serve windows.
        watched: Ascending indices of the frames that are only measured, see `splitting.py`.
        window: Frames in a window.
    """

    colours: np.ndarray
    places: np.ndarray
    plates: np.ndarray
    history: np.ndarray
    clip_starts: np.ndarray
    targets: np.ndarray
    watched: np.ndarray
    window: int

    @property
    def byte_count(self) -> int:
        """Room that all frames take."""
        return sum(array.nbytes for array in (self.colours, self.places, self.plates, self.history))

    def batch(self, indices: np.ndarray, device: torch.device, *, is_pinned: bool = False) -> tuple[Window, Tensor]:
        """Return the windows that end at the given frames, and their plates (batch, 3, H, W) in [-1, 1].

        Args:
            indices: The frames.
            device: Where the batch is wanted.
            is_pinned: Build it in memory that a graphics card can fetch by itself.
        """
        count, size, reduced_size = len(indices), self.plates.shape[1], self.history.shape[1]
        older_count = self.window - 1
        shapes = (
            (count, size, size, CHANNELS_PER_FRAME),
            (count, reduced_size, reduced_size, older_count * CHANNELS_PER_FRAME),
            (count, size, size, 3),
        )
        tensors = [torch.empty(shape, dtype=torch.float32, pin_memory=is_pinned) for shape in shapes]
        current, flat, target = (tensor.numpy() for tensor in tensors)
        older = flat.reshape(*flat.shape[:3], older_count, CHANNELS_PER_FRAME)
        for row, index in enumerate(indices):
            current[row, ..., 0:3] = self.colours[index, ..., 0:3] * np.float32(2 / 255)
            current[row, ..., 3:6] = self.places[index] * np.float32(2 / _LARGEST_PLACE)
            current[row, ..., 6:9] = self.colours[index, ..., 3:6] * np.float32(2 / 255)
            target[row] = self.plates[index] * np.float32(2 / 255)
            for column, back in enumerate(range(older_count, 0, -1)):
                older[row, :, :, column] = self.history[max(int(index) - back, int(self.clip_starts[index]))]
        current -= 1
        target -= 1
        first, second, third = (tensor.to(device).permute(0, 3, 1, 2) for tensor in tensors)
        return Window(first, second), third


def prepare_training_images(
    footage: Sequence[Footage],
    folder: Path,
    *,
    options: TrainOptions,
    window: int,
    history_scale: int,
    progress: Progress = no_progress,
) -> TrainingImages:
    """Make the arrays in `folder`, or open those already there from the same takes, frames and crop.

    Raises:
        DataError: Too few frames, passes of another take or crop, a missing pass, a plate crop of another size, a full
            disk; no passes where the arrays do not stand yet.
    """
    split = split_of([part.take for part in footage], options)
    counts = split.frame_counts
    identity = _identity([part.take for part in footage], split, history_scale)
    if not _is_whole(folder, identity):
        _make(footage, folder, identity, progress)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _NAMES}
    return TrainingImages(
        **arrays,
        clip_starts=np.repeat(np.cumsum([0, *counts[:-1]]), counts),
        targets=split.in_one_row(split.learned),
        watched=split.in_one_row(split.watched),
        window=window,
    )


def has_training_images(takes: Sequence[Take], folder: Path, *, options: TrainOptions, history_scale: int) -> bool:
    """Say whether the arrays of these takes and this hold-out stand in `folder`."""
    return _is_whole(folder, _identity(takes, split_of(takes, options), history_scale))


def _identity(takes: Sequence[Take], split: Split, history_scale: int) -> dict[str, Any]:
    return {
        "version": _CACHE_VERSION,
        "take_sha256": [take.sha256 for take in takes],
        "frame_counts": split.frame_counts,
        "history_scale": history_scale,
    }


_NAMES = ("colours", "places", "plates", "history")


def _is_whole(folder: Path, identity: dict[str, Any]) -> bool:
    return (folder / "images.json").is_file() and read_json(folder / "images.json") == identity


def _make(footage: Sequence[Footage], folder: Path, identity: dict[str, Any], progress: Progress) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _fill(footage, temporary, identity, progress)
        (temporary / "images.json").write_bytes(canonical_json(identity))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as error:
        remedy = "Free some disk space or choose another output folder, then run the command again"
        raise DataError(f"training images cannot be written: {error}", where=folder, remedy=remedy) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(footage: Sequence[Footage], folder: Path, identity: dict[str, Any], progress: Progress) -> None:
    count, size = sum(identity["frame_counts"]), footage[0].take.crop.resolution_px
    scale = identity["history_scale"]
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
    for row, (pass_frame, plate) in enumerate(_frames_of(footage, identity["frame_counts"], folder)):
        channels = pass_frame.network_channels()
        unit = np.moveaxis((channels + 1) / 2, 0, 2)
        arrays["colours"][row] = np.rint(unit[..., [0, 1, 2, 6, 7, 8]].clip(0, 1) * 255)
        arrays["places"][row] = np.rint(unit[..., 3:6].clip(0, 1) * _LARGEST_PLACE)
        arrays["plates"][row] = plate
        arrays["history"][row] = np.moveaxis(reduced(channels, scale), 0, 2)
        progress(STAGE, row + 1, count)
    for array in arrays.values():
        array.flush()


def _frames_of(
    footage: Sequence[Footage], frame_counts: Sequence[int], folder: Path
) -> Iterator[tuple[PassFrame, np.ndarray]]:
    for part, frame_count in zip(footage, frame_counts, strict=True):
        take = part.take
        if part.passes is None or part.plate_crops is None:
            raise DataError(
                "the training images of these takes and this hold-out do not stand here",
                where=folder,
                remedy="Make them where passes and clip are, and copy the folder along",
            )
        for frame in range(take.clip.start_frame, take.clip.start_frame + frame_count):
            pass_frame = checked_pass(part.passes, frame, take.crop, take_sha256=take.sha256)
            yield pass_frame, checked_plate(part.plate_crops, frame, take.crop)


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
