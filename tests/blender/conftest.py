import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# Before bpy is imported: tests must neither read nor change the user's own Blender.
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="dvp-blender-user-")

bpy = pytest.importorskip("bpy", reason="Blender as a module (pip's bpy) is not installed")


@pytest.fixture(scope="session")
def _enabled_addon():
    import addon_utils

    module = addon_utils.enable("blender_addon", default_set=True)
    assert module is not None
    yield module
    addon_utils.disable("blender_addon")
    shutil.rmtree(os.environ["BLENDER_USER_RESOURCES"], ignore_errors=True)


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


@pytest.fixture(scope="session")
def built_in():
    """The built-in face without identity modes."""
    import numpy as np

    from dvp_core.data.take import with_compact_face
    from dvp_core.face import built_in_face

    model = built_in_face()
    return with_compact_face(model.baked(np.zeros(model.identity_count)))


@pytest.fixture
def still(context, tmp_path, built_in):
    """A rig of the built-in face whose tracked expressions are all zero."""
    from dataclasses import replace

    from small_take import small_take

    from blender_addon.rig.importing import import_take
    from dvp_core.data.take import write_take

    take = small_take(face=built_in, frame_count=2)
    path = tmp_path / "still.take"
    write_take(path, replace(take, expression=0 * take.expression))
    return import_take(path, context=context)


@pytest.fixture
def shot(context, tmp_path):
    """Ada's rig, and on disk her own take and that of a second performer."""
    from layer_shot import make_shot

    return make_shot(context, tmp_path)
