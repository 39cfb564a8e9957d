"""Controls and a second performer's layers on one rig: each adds its part, neither takes the other's."""

import numpy as np
from layer_shot import assert_same, curves_of, evaluated_vertices, shown
from posing import move, set_shape

from blender_addon.rig import names
from blender_addon.rig.layers import add_performer, bake_layers, show_tracked
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA

ONE_BIT = 1.2e-7  # float32 around 1, where what a control adds is cut


def pose(shot):
    move(shot.rig, "mouth.corner.L", "y", 0.006)
    set_shape(shot.rig, "jawOpen", -0.4)
    shot.rig.pose.bones["neck"].rotation_euler = (0.1, -0.2, 0.05)


def test_controls_add_to_what_the_layers_show(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth", "jaw", "brows"), strength=0.7)
    layered = shown(shot)
    pose(shot)
    expected = layered["expression"].astype(np.float64)
    for shape, change in (("mouthSmileLeft", 0.3), ("jawOpen", -0.4)):
        column = shot.take.expression_names.index(shape)
        low, high = np.minimum(expected[:, column], 0), np.maximum(expected[:, column], 1)
        expected[:, column] = np.clip(expected[:, column] + change, low, high)
    posed = shown(shot)
    np.testing.assert_allclose(posed["expression"], expected, rtol=0, atol=5 * ONE_BIT)
    assert np.abs(posed["head_rotation_wxyz"] - layered["head_rotation_wxyz"]).max() > 0.01
    assert np.abs(posed["expression"] - curves_of(shot.take)["expression"]).max() > 0.1


def test_baking_layers_leaves_controls_alive_and_counts_them_once(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth", "jaw", "head"), strength=0.7)
    pose(shot)
    before = shown(shot)
    bake_layers(shot.rig, shot.scene)
    assert_same(shown(shot), before, 1e-6)
    assert shot.rig.pose.bones["mouth.corner.L"].location.y > 0


def test_the_head_that_shows_the_tracked_performance_is_not_posed(shot):
    pose(shot)
    aim = shot.rig.pose.bones["aim"]
    aim["influence"] = 1.0
    shot.rig.update_tag()
    tracked = show_tracked(shot.rig, place="OVER")
    blocks = tracked.data.shape_keys.key_blocks
    assert all(blocks[names.added_key(name)].value == 0 for name in shot.take.expression_names)
    for index, frame in ((0, 1001), (10, 1011)):
        expected = pose_vertices(shot.take, index) @ BLENDER_WORLD_FROM_CAMERA.T
        np.testing.assert_allclose(evaluated_vertices(tracked, shot.scene, frame), expected, atol=1e-5)
        assert np.abs(evaluated_vertices(shot.face, shot.scene, frame) - expected).max() > 1e-3
