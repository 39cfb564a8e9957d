import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

bpy = pytest.importorskip("bpy", reason="Blender as a module (pip's bpy) is not installed")


@pytest.fixture(scope="session")
def _enabled_addon():
    import addon_utils

    os.environ.setdefault("BLENDER_USER_RESOURCES", "")
    module = addon_utils.enable("blender_addon", default_set=True)
    assert module is not None
    yield module
    addon_utils.disable("blender_addon")


@pytest.fixture
def context(_enabled_addon):
    """Blender's context with an empty scene; the add-on is enabled as a user enables it."""
    bpy.ops.wm.read_homefile(use_empty=True)
    from blender_addon.rig.memory import forget_takes

    forget_takes()
    return bpy.context


@pytest.fixture
def take_file(tmp_path):
    """A small take on disk and in memory."""
    from small_take import small_take

    from dvp_core.data.take import write_take

    take = small_take()
    path = tmp_path / "ada.take"
    write_take(path, take)
    return path, take
