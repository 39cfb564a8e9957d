"""The share of the farm under test: a small mounted disk where that is allowed, else a plain folder.

The mounted one is full when it is full, and is taken away by a lazy unmount. The plain one is taken away by renaming
it and leaving an empty folder, which is what an unmounted share looks like.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_BALLAST = "ballast"


@dataclass(frozen=True)
class Disk:
    """A share that can be filled and taken away.

    Attributes:
        folder: Holds the disk and the place where it is mounted.
        size_bytes: 0 for a plain folder.
    """

    folder: Path
    size_bytes: int = 0

    @property
    def share(self) -> Path:
        """The folder that the farm knows."""
        return self.folder / "share"

    @property
    def is_mounted(self) -> bool:
        """Whether it is a disk of its own, which can be full."""
        return self.size_bytes > 0

    @property
    def _store(self) -> Path:
        return self.folder / "disk"

    def set_up(self) -> None:
        """Make the share."""
        self.share.mkdir(parents=True)
        if self.is_mounted:
            self._store.mkdir()
            _mount("-t", "tmpfs", "-o", f"size={self.size_bytes}", "tmpfs", str(self._store))
            self.give_back()

    def take_away(self) -> None:
        """Let the share vanish, leaving the empty folder it was mounted on."""
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.share)], check=True)
        else:
            self.share.rename(self._store)
            self.share.mkdir()

    def give_back(self) -> None:
        """Let the share come back."""
        if self.is_mounted:
            _mount("--bind", str(self._store), str(self.share))
        else:
            self.share.rmdir()
            self._store.rename(self.share)

    def fill(self) -> None:
        """Leave no byte free."""
        with open(self._store / _BALLAST, "wb") as stream:
            free = os.statvfs(self._store)
            os.posix_fallocate(stream.fileno(), 0, free.f_bavail * free.f_frsize)

    def make_room(self) -> None:
        """Undo `fill`."""
        (self._store / _BALLAST).unlink()

    def close(self) -> None:
        """Unmount all."""
        if self.is_mounted:
            for place in (self.share, self._store):
                subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
