"""What stands around the actor: a sweater, a wall with a bookshelf, lamps and the plate's camera."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from dvp_core.data.camera import Camera
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA, BLENDER_WORLD_FROM_OPENGL_CAMERA
from tools.built_in_actor.meshes import add_noise_bump, material, mesh_object, principled

BOOK_COLOURS = (
    (0.26, 0.07, 0.05),
    (0.07, 0.13, 0.20),
    (0.34, 0.26, 0.13),
    (0.10, 0.16, 0.10),
    (0.42, 0.38, 0.32),
    (0.16, 0.10, 0.14),
    (0.30, 0.15, 0.06),
    (0.12, 0.18, 0.19),
)
# The sweater's rings from the top down: half width and half depth beyond the neck's, height above the collar's foot,
# and shift backward [m]. The collar stands clear of the neck, which turns inside it.
SWEATER_RINGS = (
    (0.007, 0.007, 0.036, -0.002),
    (0.012, 0.012, 0.040, -0.002),
    (0.014, 0.014, 0.030, -0.001),
    (0.014, 0.014, 0.008, 0.0),
    (0.013, 0.013, -0.010, 0.003),
    (0.022, 0.018, -0.024, 0.008),
    (0.056, 0.026, -0.038, 0.012),
    (0.098, 0.036, -0.056, 0.014),
    (0.130, 0.044, -0.082, 0.014),
    (0.147, 0.052, -0.118, 0.010),
    (0.154, 0.060, -0.168, 0.006),
    (0.156, 0.068, -0.238, 0.0),
    (0.158, 0.074, -0.330, 0.0),
)
RING_POINTS = 64
F_STOP = 4.5


def build_camera(camera: Camera, *, focus_m: float) -> bpy.types.Object:
    """Return the plate's camera at the origin, looking along +Y, made the scene's; it is sharp at `focus_m`."""
    data = bpy.data.cameras.new("plate camera")
    data.sensor_fit = "HORIZONTAL"
    data.lens = camera.focal_px * data.sensor_width / camera.width_px
    data.shift_x = (0.5 * camera.width_px - camera.principal_px[0]) / camera.width_px
    data.shift_y = (camera.principal_px[1] - 0.5 * camera.height_px) / camera.width_px
    data.dof.use_dof = True
    data.dof.focus_distance = focus_m
    data.dof.aperture_fstop = F_STOP
    thing = bpy.data.objects.new("plate camera", data)
    matrix = np.eye(4)
    matrix[:3, :3] = BLENDER_WORLD_FROM_OPENGL_CAMERA
    thing.matrix_world = Matrix(matrix.tolist())
    bpy.context.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    bpy.context.scene.render.resolution_x = camera.width_px
    bpy.context.scene.render.resolution_y = camera.height_px
    return thing


def build_sweater(neck_half_m: tuple[float, float]) -> bpy.types.Object:
    """Return a turtleneck sweater; its origin is the middle of the collar's foot, Blender's head axes.

    Args:
        neck_half_m: Half width and half depth of the neck that it goes around.
    """
    angle = np.linspace(0.0, 2 * np.pi, RING_POINTS, endpoint=False)
    rings = []
    for wider, deeper, height, back in _refined_rings():
        half_width, half_depth = neck_half_m[0] + wider, neck_half_m[1] + deeper
        breadth = np.clip((wider - 0.02) / 0.12, 0.0, 1.0)
        # A superellipse: shoulders are boxier than a neck.
        power = 2.0 / (2.0 + 0.9 * breadth)
        x = half_width * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
        y = half_depth * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power + back
        # Shoulders hang: the ends of a ring lie lower than its middle.
        drop = 0.020 * breadth * (x / half_width) ** 2
        rings.append(np.stack([x, y, height - drop], axis=1))
    vertices = np.concatenate(rings)
    made = _knit_material()
    return mesh_object("sweater", vertices, _loft(len(rings)), material=made)


def _refined_rings() -> np.ndarray:
    rings = np.array(SWEATER_RINGS)
    steps = np.linspace(0, len(rings) - 1, 5 * len(rings))
    return np.stack([np.interp(steps, np.arange(len(rings)), rings[:, column]) for column in range(4)], axis=1)


def _loft(ring_count: int) -> np.ndarray:
    ring, point = np.meshgrid(np.arange(ring_count - 1), np.arange(RING_POINTS), indexing="ij")
    following = (point + 1) % RING_POINTS
    corners = [
        ring * RING_POINTS + point,
        (ring + 1) * RING_POINTS + point,
        (ring + 1) * RING_POINTS + following,
        ring * RING_POINTS + following,
    ]
    return np.stack(corners, axis=-1).reshape(-1, 4)


def _knit_material() -> bpy.types.Material:
    made = material("knit", (0.10, 0.17, 0.25), Roughness=0.9, Sheen_Weight=0.25)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    place = nodes.new("ShaderNodeTexCoord")
    rib = nodes.new("ShaderNodeTexWave")
    rib.bands_direction = "X"
    rib.inputs["Scale"].default_value = 55.0
    rib.inputs["Distortion"].default_value = 1.5
    rib.inputs["Detail Scale"].default_value = 6.0
    tone = nodes.new("ShaderNodeMix")
    tone.data_type = "RGBA"
    tone.inputs["A"].default_value = (0.045, 0.085, 0.13, 1.0)
    tone.inputs["B"].default_value = (0.13, 0.21, 0.29, 1.0)
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = 0.003
    bump.inputs["Strength"].default_value = 0.7
    links.new(place.outputs["Object"], rib.inputs["Vector"])
    links.new(rib.outputs["Fac"], tone.inputs["Factor"])
    links.new(rib.outputs["Fac"], bump.inputs["Height"])
    links.new(tone.outputs["Result"], principled(made).inputs["Base Color"])
    links.new(bump.outputs["Normal"], principled(made).inputs["Normal"])
    return made


def build_wall(distance_m: float) -> None:
    """Stand a wall and a bookshelf behind the actor."""
    half = 2.0
    corners = np.array([[-half, 0, -half], [half, 0, -half], [half, 0, half], [-half, 0, half]])
    plaster = material("plaster", (0.30, 0.27, 0.23), Roughness=0.9)
    add_noise_bump(plaster, scale=14.0, strength=0.9, distance_m=0.02)
    wall = mesh_object("wall", corners, np.array([[0, 1, 2, 3]]), material=plaster)
    wall.location = (0.0, distance_m, 0.0)
    wood = material("wood", (0.20, 0.11, 0.055), Roughness=0.6)
    add_noise_bump(wood, scale=30.0, strength=0.5, distance_m=0.01)
    colours = [material(f"book {index}", colour, Roughness=0.7) for index, colour in enumerate(BOOK_COLOURS)]
    random = np.random.default_rng(12)
    for height_m in (-0.36, -0.04, 0.28):
        _box("board", (0.0, distance_m - 0.09, height_m - 0.012), (1.2, 0.1, 0.012), wood)
        _row_of_books(height_m, distance_m, colours, random)


def _row_of_books(
    height_m: float, distance_m: float, colours: list[bpy.types.Material], random: np.random.Generator
) -> None:
    left_m = -0.75
    while left_m < 0.75:
        thickness_m, tall_m = random.uniform(0.022, 0.055), random.uniform(0.17, 0.25)
        if random.uniform() < 0.12:
            left_m += random.uniform(0.05, 0.14)
        middle = (left_m + thickness_m / 2, distance_m - random.uniform(0.09, 0.12), height_m + tall_m / 2)
        book = _box("book", middle, (thickness_m / 2 - 0.001, 0.07, tall_m / 2), colours[random.integers(len(colours))])
        book.rotation_euler = (0.0, float(random.normal(0.0, 0.02)), 0.0)
        left_m += thickness_m


def _box(
    name: str, middle: tuple[float, float, float], half: tuple[float, float, float], made: bpy.types.Material
) -> bpy.types.Object:
    signs = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    sides = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
    box = mesh_object(name, signs * half, np.array(sides), material=made)
    assert isinstance(box.data, bpy.types.Mesh)
    box.data.polygons.foreach_set("use_smooth", np.zeros(6, bool))
    box.location = middle
    return box


def build_lamps(head_camera_m: np.ndarray) -> None:
    """Hang a warm key, a cool fill and a rim lamp around the head, and a dim room."""
    head = head_camera_m @ BLENDER_WORLD_FROM_CAMERA.T
    _lamp("key", head, (-0.75, -0.85, 0.65), power_w=18.5, size_m=0.45, colour=(1.0, 0.90, 0.78))
    _lamp("fill", head, (0.95, -0.75, 0.10), power_w=4.2, size_m=0.8, colour=(0.75, 0.86, 1.0))
    _lamp("rim", head, (0.60, 0.55, 0.70), power_w=8.0, size_m=0.3, colour=(0.95, 0.95, 1.0))
    _lamp("shelf", head, (-0.2, 0.35, 1.2), power_w=7.0, size_m=0.5, colour=(1.0, 0.85, 0.65))
    world = bpy.data.worlds.new("room")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.55, 0.60, 0.68, 1.0)
    background.inputs["Strength"].default_value = 0.16
    bpy.context.scene.world = world


def _lamp(
    name: str,
    head: np.ndarray,
    offset_m: tuple[float, float, float],
    *,
    power_w: float,
    size_m: float,
    colour: tuple[float, float, float],
) -> None:
    data = bpy.data.lights.new(name, "AREA")
    data.energy, data.size, data.color = power_w, size_m, colour
    thing = bpy.data.objects.new(name, data)
    thing.location = head + np.array(offset_m)
    thing.rotation_euler = (-Vector(offset_m)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(thing)
