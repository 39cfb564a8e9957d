"""Run by a Python of its own: imports a file into an empty Blender and writes down what stands there.

Arguments: the file, its frames a second, the frames to look at (comma), the `.npz` to write, and optionally a picture.
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np


def main(path, fps, frames, output, picture=None):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = int(fps), 1.0
    if path.endswith(".glb"):
        bpy.ops.import_scene.gltf(filepath=path)
    else:
        bpy.ops.wm.usd_import(filepath=path, import_skeletons=True, import_blendshapes=True)
    arrays, facts = {}, {"meshes": {}, "cameras": {}}
    for place, frame in enumerate(frames):
        scene.frame_set(int(frame))
        graph = bpy.context.evaluated_depsgraph_get()
        for item in (item for item in scene.objects if item.type == "MESH"):
            arrays[f"{item.name}.{place}"] = world_vertices(item.evaluated_get(graph))
    for item in scene.objects:
        if item.type == "MESH":
            keys = item.data.shape_keys.key_blocks.keys() if item.data.shape_keys else []
            colors = [attribute.name for attribute in item.data.color_attributes]
            facts["meshes"][item.name] = {
                "keys": keys,
                "colors": colors,
                "uvs": len(item.data.uv_layers),
                "materials": [material.name for material in item.data.materials],
            }
        elif item.type == "CAMERA":
            facts["cameras"][item.name] = {
                "matrix": [list(row) for row in item.matrix_world],
                "angle_x": item.data.angle_x,
                "angle_y": item.data.angle_y,
                "shift": [item.data.shift_x, item.data.shift_y],
                "fit": item.data.sensor_fit,
                "sensor": [item.data.sensor_width, item.data.sensor_height],
                "lens": item.data.lens,
            }
            scene.camera = item
    np.savez(output, facts=json.dumps(facts), **arrays)
    if picture:
        draw(scene, picture)


def world_vertices(item):
    positions = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", positions)
    matrix = np.array(item.matrix_world)
    return positions.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def draw(scene, picture):
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.7, 0.7, 0.7, 1)
    scene.world = world
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = 640, 480
    scene.render.filepath = picture
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    file, fps, frames, *rest = sys.argv[1:]
    main(str(Path(file).resolve()), fps, frames.split(","), *rest)
