"""What the screen gets, drawn by Blender's own GPU module into a picture; in a process of its own, as a machine without
any GPU driver ends the process that asks for one.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
import bpy
import numpy as np
from mathutils import Matrix
from blender_addon import compat

WIDTH, HEIGHT = 80, 40


class Easel(bpy.types.RenderEngine):
    bl_idname, bl_label, bl_use_gpu_context = "EASEL", "Easel", True

    def render(self, depsgraph):
        import gpu

        canvas = gpu.types.GPUOffScreen(WIDTH, HEIGHT, format="RGBA32F")
        pixels = Matrix(((2 / WIDTH, 0, 0, -1), (0, 2 / HEIGHT, 0, -1), (0, 0, 1, 0), (0, 0, 0, 1)))
        with canvas.bind(), gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            gpu.matrix.load_projection_matrix(pixels)
            found["picture"] = seen(gpu, lambda: compat.draw_texture(compat.texture_of(picture()), 20, 10, 40, 20))
            found["wire"] = seen(gpu, lambda: compat.draw_wires(LINE, EDGE, (1.0, 0.5, 0.25, 0.5)))
        canvas.free()


LINE = np.array([[0, 20.5, 0], [WIDTH, 20.5, 0]], np.float32)
EDGE = np.array([[0, 1]], np.int32)
found = {}


def picture():
    pixels = np.zeros((2, 4, 4), np.float32)
    pixels[0], pixels[1] = (1, 0, 0, 1), (0, 0.5, 0, 1)
    return pixels


def seen(gpu, draw):
    frame = gpu.state.active_framebuffer_get()
    frame.clear(color=(0, 0, 0, 0), depth=1.0)
    draw()
    buffer = frame.read_color(0, 0, WIDTH, HEIGHT, 4, 0, "FLOAT")
    buffer.dimensions = WIDTH * HEIGHT * 4
    return np.array(buffer).reshape(HEIGHT, WIDTH, 4)[::-1].tolist()


bpy.utils.register_class(Easel)
bpy.ops.wm.read_homefile(use_empty=True)
scene = bpy.context.scene
scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(scene.camera)
scene.render.engine, scene.render.filepath = "EASEL", sys.argv[1] + "/blank.png"
bpy.ops.render.render()
bpy.utils.unregister_class(Easel)
with open(sys.argv[1] + "/found.json", "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return what was drawn, by name: (40, 80, 4) rows from the top."""
    numpy, folder = pytest.importorskip("numpy"), tmp_path_factory.mktemp("drawn")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], cwd=ROOT, timeout=120, check=False)
    if done.returncode == -signal.SIGABRT:
        pytest.skip("this machine has no GPU driver, not even one in software")
    found = json.loads((folder / "found.json").read_text())
    return {name: numpy.array(pixels) for name, pixels in found.items()}


def test_a_picture_lies_upright_where_it_is_put(drawn):
    picture = drawn["picture"]
    assert picture[12, 40].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert picture[27, 40].tolist() == [0.0, 0.5, 0.0, 1.0]
    covered = picture[..., 3] > 0
    assert covered.sum() == 40 * 20
    assert covered[10:30, 20:60].all()


def test_a_wire_is_one_line_of_its_colour_and_opacity(drawn):
    wire = drawn["wire"]
    assert (wire[..., 3] > 0).sum() == 80
    assert wire[19, 40].tolist() == [0.5, 0.25, 0.125, 0.5]
