"""Renders the sheet of the built-in face with Cycles: neutral, six persons, the 52 expressions with their names.

Run as `python tools/face_sheet.py docs/pictures/face_sheet.png`. Head space is used as Blender's world as it stands: an
unrotated Blender camera looks along -Z with +Y up, which is how one looks at a face whose nose points along +Z.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image, ImageDraw

from dvp_core.data.face_model import FaceModel
from dvp_core.face import built_in_face, evaluate
from dvp_core.face.built_in.expressions import meaning

BACKGROUND = (0.055, 0.058, 0.065)
# Place in metres, power in watts, edge in metres: key, fill, rim.
LAMPS = (((-0.5, 0.45, 0.75), 10.5, 0.5), ((0.75, 0.1, 0.6), 3.2, 0.7), ((0.3, 0.5, -0.7), 1.8, 0.6))
TILE_PX, COLUMNS, LABEL_PX = 150, 9, 40
NEUTRAL_PX, PERSON_PX = 450, 225
# A pair shape that only makes sense together with another is shown with it.
COMPANIONS = {"mouthClose": ("jawOpen", 1.0), "tongueOut": ("jawOpen", 0.45)}
# Lids and lips are too small to judge on a whole face; jaw and cheeks need one.
CLOSE_UPS = ("eye", "brow", "cheekSquint")
WHOLE = ("jaw", "cheekPuff", "mouthClose")


def main() -> None:
    """Render the sheet named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--only", choices=("all", "neutral"), default="all")
    parser.add_argument("--lossless", action="store_true", help="full size and colour, for looking closely")
    arguments = parser.parse_args()
    face = built_in_face()
    mesh = build_scene(face, samples=arguments.samples)
    rows = [neutral_row(face, mesh)]
    if arguments.only == "all":
        rows += [persons_row(face, mesh), *expression_rows(face, mesh)]
    sheet = Image.new("RGB", (TILE_PX * COLUMNS, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    if not arguments.lossless:
        sheet = compact(sheet)
    sheet.save(arguments.output, optimize=True)


def compact(sheet: Image.Image) -> Image.Image:
    """The sheet a little smaller and without the lowest two bits of its colours: half the file, no visible loss."""
    small = sheet.resize((round(sheet.width * 0.84), round(sheet.height * 0.84)), Image.Resampling.LANCZOS)
    values = np.asarray(small).astype(np.int32)
    rounded = np.clip((values + 2) // 4 * 4, 0, 255).astype(np.uint8)
    return Image.fromarray(rounded)


def build_scene(face: FaceModel, *, samples: int) -> bpy.types.Mesh:
    """One mesh with its colours, three lights and a camera in an empty file; the mesh's vertices are set per tile."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 3
    scene.render.threads_mode = "FIXED"
    scene.render.threads = 2
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("World")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*BACKGROUND, 1.0)
    scene.world = world
    mesh = bpy.data.meshes.new("face")
    polygons = [[int(corner) for corner in polygon if corner >= 0] for polygon in face.polygons]
    mesh.from_pydata(face.vertices.tolist(), [], polygons)
    mesh.shade_smooth()
    mesh.color_attributes.new("Reflectance", "FLOAT_COLOR", "POINT")
    mesh.materials.append(skin_material())
    scene.collection.objects.link(bpy.data.objects.new("face", mesh))
    for place, energy, size in LAMPS:
        add_light(place, energy, size)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens_unit = "FOV"
    scene.collection.objects.link(camera)
    scene.camera = camera
    return mesh


def skin_material() -> bpy.types.Material:
    """Diffuse colour from the vertices with a weak broad highlight."""
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    attribute = nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = "Reflectance"
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.5
    surface.inputs["Specular IOR Level"].default_value = 0.35
    links.new(attribute.outputs["Color"], surface.inputs["Base Color"])
    return material


def add_light(place: tuple[float, float, float], energy_w: float, size_m: float) -> None:
    """A square lamp that looks at the middle of the head."""
    lamp = bpy.data.lights.new("lamp", "AREA")
    lamp.energy, lamp.size = energy_w, size_m
    lamp_object = bpy.data.objects.new("lamp", lamp)
    bpy.context.scene.collection.objects.link(lamp_object)
    lamp_object.location = place
    backward = np.array(place) / np.linalg.norm(place)
    side = np.cross((0.0, 1.0, 0.0), backward)
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([side, np.cross(backward, side), backward, place])
    lamp_object.matrix_world = Matrix(matrix.tolist())


def render(
    mesh: bpy.types.Mesh,
    vertices: np.ndarray,
    colours: np.ndarray,
    *,
    size_px: int,
    yaw_deg: float = 0.0,
    center: tuple[float, float, float] = (0.0, 0.01, 0.04),
    width_m: float = 0.27,
) -> Image.Image:
    """One square picture of the head, turned about its vertical axis."""
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turned = (vertices - center) @ turn.T
    mesh.vertices.foreach_set("co", turned.astype(np.float32).ravel())
    rgba = np.column_stack([np.clip(colours, 0.0, 1.0), np.ones(len(colours))])
    mesh.color_attributes["Reflectance"].data.foreach_set("color", rgba.astype(np.float32).ravel())
    mesh.update()
    scene = bpy.context.scene
    distance = 0.9
    scene.camera.location = (0.0, 0.0, distance)
    scene.camera.data.angle = 2.0 * np.arctan(width_m / 2.0 / distance)
    scene.render.resolution_x = scene.render.resolution_y = size_px
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "tile.png")
        bpy.ops.render.render(write_still=True)
        return Image.open(scene.render.filepath).convert("RGB")


def neutral_row(face: FaceModel, mesh: bpy.types.Mesh) -> Image.Image:
    """The neutral face from the front, half from the side and from the side."""
    tiles = [
        render(mesh, face.vertices, face.reflectance_mean, size_px=NEUTRAL_PX, yaw_deg=yaw) for yaw in (0, -45, -90)
    ]
    return beside(tiles)


def persons_row(face: FaceModel, mesh: bpy.types.Mesh) -> Image.Image:
    """Six random persons: coefficients drawn with a standard deviation of one."""
    tiles = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        vertices = evaluate(face, identity=random.normal(size=face.identity_count))
        colours = face.reflectance_mean + np.tensordot(
            random.normal(size=len(face.reflectance_basis)), face.reflectance_basis, axes=1
        )
        tiles.append(render(mesh, vertices, colours, size_px=PERSON_PX, yaw_deg=-22.0 if seed % 2 else 0.0))
    return beside(tiles)


def expression_rows(face: FaceModel, mesh: bpy.types.Mesh) -> list[Image.Image]:
    """All expressions at full weight, each above its name and what it should be."""
    tiles = [labelled(expression_tile(face, mesh, name), name) for name in face.expression_names]
    return [beside(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)]


def expression_tile(face: FaceModel, mesh: bpy.types.Mesh, name: str) -> Image.Image:
    """One expression; eyes and lips nearer than what moves the whole lower face."""
    weights = dict([(name, 1.0), *([COMPANIONS[name]] if name in COMPANIONS else [])])
    expression = [weights.get(each, 0.0) for each in face.expression_names]
    vertices = evaluate(face, expression=expression)
    center, width = (0.0, -0.026, 0.09), 0.115
    if name.startswith(CLOSE_UPS):
        center = (0.0, 0.038, 0.09)
    elif name.startswith(WHOLE):
        center, width = (0.0, -0.010, 0.09), 0.175
    return render(mesh, vertices, face.reflectance_mean, size_px=TILE_PX, center=center, width_m=width)


def labelled(tile: Image.Image, name: str) -> Image.Image:
    """The tile with its name and meaning under it."""
    whole = Image.new("RGB", (tile.width, tile.height + LABEL_PX), "white")
    whole.paste(tile, (0, 0))
    drawing = ImageDraw.Draw(whole)
    drawing.text((4, tile.height + 1), name, fill="black")
    said = "\n".join(textwrap.wrap(meaning(name), 25)[:2])
    drawing.multiline_text((4, tile.height + 13), said, fill=(90, 90, 90), spacing=1)
    return whole


def beside(tiles: list[Image.Image]) -> Image.Image:
    """Tiles in a row on white."""
    row = Image.new("RGB", (TILE_PX * COLUMNS, tiles[0].height), "white")
    for index, tile in enumerate(tiles):
        row.paste(tile, (index * tile.width, 0))
    return row


if __name__ == "__main__":
    main()
