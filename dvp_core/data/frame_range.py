"""Sets of frame numbers as people write them on farms: `1-30,40,50-60x2`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dvp_core.data.errors import DataError

_PART = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9})(?:x([0-9]{1,9}))?)?")
FRAMES_PATTERN = f"{_PART.pattern}(?:,{_PART.pattern})*"
"""The form of what `FrameRange.parse` takes, but for spaces."""
_LIMIT_FRAMES = 1_000_000


@dataclass(frozen=True)
class FrameRange:
    """An ascending set of plate frame numbers.

    Attributes:
        numbers: The frames, ascending, each once.
    """

    numbers: tuple[int, ...]

    @classmethod
    def of(cls, numbers: Iterable[int]) -> FrameRange:
        """Return the range holding the given numbers, sorted, each once."""
        return cls(tuple(sorted(set(numbers))))

    @classmethod
    def span(cls, first: int, last: int) -> FrameRange:
        """Return all frames from `first` to `last`, both included."""
        return cls(tuple(range(first, last + 1)))

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Return the frames written as `1-30,40,50-60x2` (every second from 50 to 60).

        Raises:
            DataError: The text is no such list, runs backwards or names more than a million frames.
        """
        numbers: set[int] = set()
        named_count = 0
        for part in text.split(","):
            frames = _frames_of_part(part.strip(), text)
            named_count += len(frames)
            if named_count > _LIMIT_FRAMES:  # those that stand twice count twice: a text must not cost more than it may
                raise DataError(f"names more than {_LIMIT_FRAMES:,} frames", where=_quoted(text))
            numbers.update(frames)
        return cls.of(numbers)

    @property
    def first(self) -> int:
        """The lowest frame number."""
        return self.numbers[0]

    @property
    def last(self) -> int:
        """The highest frame number."""
        return self.numbers[-1]

    def chunks(self, size: int) -> Iterator[FrameRange]:
        """Cut the range into consecutive parts of at most `size` frames."""
        for start in range(0, len(self.numbers), size):
            yield FrameRange(self.numbers[start : start + size])

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._as_set

    @property
    def _as_set(self) -> frozenset[int]:
        cached = self.__dict__.get("_set")
        if cached is None:
            cached = frozenset(self.numbers)
            object.__setattr__(self, "_set", cached)
        return cached

    def __str__(self) -> str:
        parts = []
        start = previous = None
        for number in (*self.numbers, None):
            if start is None:
                start = previous = number
            elif previous is not None and number == previous + 1:
                previous = number
            else:
                parts.append(str(start) if start == previous else f"{start}-{previous}")
                start = previous = number
        return ",".join(parts)


def _frames_of_part(part: str, text: str) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise DataError(
            f"'{part[:40]}' is no frame, span or stepped span",
            where=_quoted(text),
            remedy="Write for example 1-30,40,50-60x2",
        )
    first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
    if last < first or step < 1:
        raise DataError(f"'{part}' runs backwards or has step 0", where=_quoted(text))
    if (last - first) // step >= _LIMIT_FRAMES:
        raise DataError(f"names more than {_LIMIT_FRAMES:,} frames", where=_quoted(text))
    return range(first, last + 1, step)


def _quoted(text: str) -> str:
    return f"frames '{text if len(text) <= 200 else text[:200] + '...'}'"
