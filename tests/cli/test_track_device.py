"""The device of `dvp track`: a card that is not there is said in a sentence, before any work."""

import subprocess
import sys

import pytest

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.cli.main import run


def test_a_missing_card_is_a_sentence_with_a_remedy(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a graphics card")
    output = tmp_path / "a.take"
    words = ["track", str(actor_clip_path()), "-o", str(output), "--landmarks", str(actor_landmarks_path())]
    assert run([*words, "--device", "cuda"]) == 1
    said = capsys.readouterr().err
    assert "graphics card" in said
    assert "--device cpu" in said
    assert not output.exists()


def test_the_command_alone_loads_no_torch():
    code = "import sys, dvp_core.pipeline.track; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
