"""Whether a generator can paint from a folder of passes, told from the files' headers: no pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.generator_header import GeneratorInput
from dvp_core.data.passes import WINDOW_FRAMES


def check_passes(passes: Path | str, frames: Iterable[int], generator: GeneratorInput) -> None:
    """Look at every file that rendering the frames would read: theirs and the windows' before them.

    Args:
        passes: Folder of pass files.
        frames: Plate frame numbers, whose passes are there.
        generator: What it paints from.

    Raises:
        DataError: A file is none, claims more than a pass may hold, or is of another frame, crop or face model.
    """
    from dvp_core.passes import PassFolder, pass_path

    present = PassFolder(passes).frames
    reads = {frame - back for frame in frames for back in range(WINDOW_FRAMES)}
    for frame in sorted(frame for frame in reads if frame in present):
        _check_file(pass_path(passes, frame), frame, generator)


def _check_file(path: Path, frame: int, generator: GeneratorInput) -> None:
    from dvp_core.passes import read_pass_header

    header = read_pass_header(path)
    if header.frame != frame:
        raise DataError(f"holds frame {header.frame}", where=path.name, remedy=f"export frame {frame} again")
    if header.crop != generator.crop:
        raise DataError(
            f"shows {header.crop}, but the generator paints {generator.crop}",
            where=path.name,
            remedy="export the passes of the generator's crop, or train a generator on this take",
        )
    if header.face_model_sha256 != generator.face_model_sha256:
        raise DataError(
            "was made with another face model than the generator's",
            where=path.name,
            remedy="track with the face model that the generator was trained with",
        )
