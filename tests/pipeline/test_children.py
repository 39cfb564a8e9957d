import os
import textwrap

import pytest

from dvp_core.data.errors import DataError
from dvp_core.pipeline.children import progress_line, run_module


@pytest.fixture
def child(tmp_path, monkeypatch):
    def write(code):
        (tmp_path / "spoken_child.py").write_text(textwrap.dedent(code))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "spoken_child"

    return write


def test_progress_and_result_come_back(child):
    told = []
    name = child(f"""
        import sys
        sys.stderr.write({progress_line("render", 1, 2)!r})
        print("noise")
        sys.stderr.write({progress_line("render", 2, 2)!r})
        print('{{"frames": 2}}')
    """)
    assert run_module(name, [], progress=lambda *call: told.append(call)) == {"frames": 2}
    assert told == [("render", 1, 2), ("render", 2, 2)]


def test_a_childs_error_is_said_once_and_clearly(child):
    name = child("""
        import sys
        print("error: x.take: is damaged.", file=sys.stderr)
        sys.exit(1)
    """)
    with pytest.raises(DataError, match=r"x\.take: is damaged") as raised:
        run_module(name, ["import"])
    assert str(raised.value).startswith("spoken_child import: x.take")


def test_a_childs_crash_shows_its_last_words(child):
    with pytest.raises(DataError, match="ZeroDivisionError"):
        run_module(child("1 / 0"), [])


def test_an_interrupted_parent_leaves_no_child(child, tmp_path):
    name = child(f"""
        import os, pathlib, sys, time
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
        sys.stderr.write({progress_line("render", 1, 2)!r})
        time.sleep(600)
    """)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_module(name, [], progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
