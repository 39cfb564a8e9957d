"""A folder of passes, `passes.####.exr`, as the generator's source of frames."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.passes.exr import read_pass_frame

_NAME = re.compile(r"passes\.(-?\d{1,9})\.exr")


def pass_path(folder: Path | str, frame: int) -> Path:
    """Return where a frame's passes stand in a folder."""
    return Path(folder) / f"passes.{frame:04d}.exr"


class PassFolder:
    """Pass frames read from a folder; implements `PassSource`.

    Args:
        path: Folder that holds `passes.####.exr`.

    Raises:
        DataError: No such folder, or no passes in it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(
                "is no folder", where=self.path, remedy="Export the passes first: dvp passes TAKE -o FOLDER"
            )
        if not self.frames.numbers:
            raise DataError(
                "holds no passes.####.exr", where=self.path, remedy="Export the passes first: dvp passes TAKE -o FOLDER"
            )

    @property
    def frames(self) -> FrameRange:
        """The frames that stand in the folder, as it was when first asked."""
        return self._frames

    @cached_property
    def _frames(self) -> FrameRange:
        names = {entry.name for entry in self.path.iterdir()}
        numbers = (int(match[1]) for match in map(_NAME.fullmatch, names) if match)
        return FrameRange.of(number for number in numbers if pass_path(self.path, number).name in names)

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes.

        Raises:
            DataError: The frame is missing or damaged, or the file holds another frame.
        """
        path = pass_path(self.path, frame)
        if not path.is_file():
            raise DataError(
                f"has no passes of frame {frame} ({path.name} is missing)",
                where=self.path,
                remedy=f"Export frame {frame} again",
            )
        pass_frame = read_pass_frame(path)
        if pass_frame.frame != frame:
            raise DataError(
                f"holds frame {pass_frame.frame}, but its name says {frame}",
                where=path,
                remedy=f"Export frame {frame} again",
            )
        return pass_frame
