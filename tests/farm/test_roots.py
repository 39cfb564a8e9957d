import pytest

from dvp_core.data.errors import DataError
from farm.roots import Roots

ESCAPES = [
    "site:../secret",
    "site:a/../../secret",
    "site:/etc/passwd",
    "/etc/passwd",
    "site:",
    "site:a\0b",
    "site:a\nb",
    "site:a\\b",
    "site:C:/x",
    "C:/x",
    "c:x",
    "file:///etc/passwd",
    "other:x",
    "SITE:x",
    "site:" + "x" * 2000,
    "",
    "plain",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_what_could_lie_outside_is_refused(roots, text):
    with pytest.raises(DataError):
        roots.resolve(text)


def test_symbolic_link_out_of_the_root_is_refused(roots, tmp_path):
    (tmp_path / "secret").mkdir()
    site = roots.folders["site"]
    (site / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="symbolic link"):
        roots.resolve("site:link/file")
    (site / "real").mkdir()
    (site / "inside").symlink_to(site / "real")
    assert roots.resolve("site:inside/file") == site / "real" / "file"


def test_local_path_gets_the_name_of_its_deepest_root(tmp_path):
    (tmp_path / "shots" / "a").mkdir(parents=True)
    roots = Roots.parse([f"all={tmp_path}", f"shots={tmp_path / 'shots'}"])
    assert roots.name(tmp_path / "shots" / "a" / "frame.####.png") == "shots:a/frame.####.png"
    assert roots.resolve(roots.name(tmp_path / "x")) == tmp_path / "x"
    with pytest.raises(DataError, match="none of the farm's roots"):
        roots.name("/elsewhere")


@pytest.mark.parametrize("entry", ["nothing", "=x", "Upper=/tmp", "site=/no/such/folder"])
def test_root_that_is_none_is_refused(entry):
    with pytest.raises(DataError):
        Roots.parse([entry])
