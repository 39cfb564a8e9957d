from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dvp_core.trust import Label, publish_frame, publish_frame_list, publish_movie, publish_still
from dvp_core.trust.keys import KEYS_VARIABLE


def picture(index: int = 0) -> np.ndarray:
    """A smooth picture of 64 x 96 pixels."""
    row, column = np.mgrid[0:64, 0:96]
    return np.stack([row * 3 + index, column * 2, (row + column + 9 * index) % 256], axis=-1).astype(np.uint8)


@pytest.fixture(autouse=True)
def keys_folder(tmp_path_factory, monkeypatch) -> Path:
    """Signing keys of this test session, never those of the user."""
    folder = tmp_path_factory.getbasetemp() / "keys" / "own"
    monkeypatch.setenv(KEYS_VARIABLE, str(folder))
    return folder


@pytest.fixture
def plate(tmp_path) -> Path:
    path = tmp_path / "jane_doe_plate.png"
    publish_still(path, picture(99), label=Label(is_plate_kept=True))
    return path


@pytest.fixture
def label(plate) -> Label:
    return Label(is_plate_kept=True, plate=plate, consent_sha256="c" * 64, inputs_sha256={"take": "d" * 64})


@pytest.fixture
def movie(tmp_path, label) -> Path:
    path = tmp_path / "result.mp4"
    publish_movie(path, map(picture, range(12)), fps=Fraction(25), label=label)
    return path


@pytest.fixture
def still(tmp_path, label) -> Path:
    path = tmp_path / "still.png"
    publish_still(path, picture(1), label=label, key="k")
    return path


@pytest.fixture
def sequence(tmp_path) -> Path:
    folder = tmp_path / "frames"
    paths = [folder / f"frame.{number:04d}.png" for number in range(98, 103)]
    for number, path in enumerate(paths):
        publish_frame(path, picture(number), key=f"key{number}")
    publish_frame_list(folder, paths, label=Label(is_plate_kept=False))
    return folder
