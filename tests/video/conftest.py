from pathlib import Path

import pytest

from tests.video.media import numbered_frame, write_movie


@pytest.fixture(scope="session")
def movie(tmp_path_factory) -> Path:
    """Sixty frames with B-frames, key frames every twelve, and a tone."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    return write_movie(path, (numbered_frame(index) for index in range(60)), with_sound="aac")
