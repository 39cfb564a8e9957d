"""The folder through which a run of chaos speaks to the processes of the farm under test, wherever they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "DVP_CHAOS"


@dataclass(frozen=True)
class Control:
    """What the run tells its workers, and what they have counted. It lies beside the share, never on it."""

    folder: Path

    @classmethod
    def of_environment(cls) -> Control:
        """Return the control of the run that started this process."""
        return cls(Path(os.environ[VARIABLE]))

    def set_up(self, *, is_quick: bool) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True)
        (self.folder / "trouble").mkdir()
        if is_quick:
            (self.folder / "quick").touch()

    def is_quick(self) -> bool:
        """Say whether frames are made without a network."""
        return (self.folder / "quick").exists()

    def set_pace(self, seconds: float) -> None:
        """Say how long a frame takes from now on."""
        self._replace("pace", f"{seconds:.3f}")

    def pace_s(self) -> float:
        """Return how long a frame takes."""
        return self._number("pace")

    def set_clock_offset(self, seconds: float) -> None:
        """Let the wall clock of head and workers jump."""
        self._replace("clock", f"{seconds:.1f}")

    def clock_offset_s(self) -> float:
        """Return how far the wall clock is off."""
        return self._number("clock")

    def poison(self, frame: int, trouble: str, *, times: int) -> None:
        """Let a frame misbehave the next `times` it is begun: raise, crash, hang, full."""
        for number in range(times):
            (self.folder / "trouble" / f"{frame}.{number}.{trouble}").touch()

    def take_trouble(self, frame: int) -> str:
        """Return how a frame misbehaves this time, empty where it does not."""
        for path in sorted((self.folder / "trouble").glob(f"{frame}.*")):
            path.unlink(missing_ok=True)
            return path.name.rpartition(".")[2]
        return ""

    def note_execution(self, frame: int) -> None:
        """Count a frame that was really made."""
        with open(self.folder / "executions.txt", "a") as stream:
            stream.write(f"{frame}\n")

    def executions(self) -> list[int]:
        """Return the frames that were made, once for each time."""
        path = self.folder / "executions.txt"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def _replace(self, name: str, content: str) -> None:
        draft = self.folder / f"{name}.draft"
        draft.write_text(content)
        draft.replace(self.folder / name)

    def _number(self, name: str) -> float:
        path = self.folder / name
        return float(path.read_text()) if path.exists() else 0.0
