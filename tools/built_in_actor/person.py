"""The actor's head in Blender: skin, mouth and eyes, posed from the truth's numbers frame by frame.

Vertices are set from `dvp_core.face`, not from shape keys, so that the picture shows exactly what the truth says.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from dvp_core.actor import ActorTruth
from dvp_core.data.face_model import FaceModel
from dvp_core.face.evaluation import evaluate, eye_centers
from dvp_core.maths.frames import BLENDER_HEAD_FROM_HEAD, blender_from_take_pose
from dvp_core.maths.rotations import gaze_rotation, matrix_from_quaternion_wxyz
from tools.built_in_actor.meshes import (
    add_noise_bump,
    link_attribute,
    material,
    mesh_object,
    principled,
    set_vertex_colours,
    set_vertices,
)

SKIN_REGIONS = ("face", "head", "neck", "eye_socket", "other")
TEETH_REGIONS = ("teeth",)
IRIS_COLOUR = (0.075, 0.13, 0.10)
SCLERA_COLOUR = (0.66, 0.62, 0.58)


@dataclass(frozen=True)
class Head:
    """The head's objects: the face, and the eyeballs that are its children; `triangles` (T, 3) are what is drawn."""

    model: FaceModel
    triangles: np.ndarray
    face: bpy.types.Object
    eyes: tuple[bpy.types.Object, bpy.types.Object]


def to_blender(points_head: np.ndarray) -> np.ndarray:
    """Return head-space points (..., 3) in the axes of Blender's head."""
    return points_head @ BLENDER_HEAD_FROM_HEAD.T


def build_head(model: FaceModel, truth: ActorTruth, *, lowest_head_m: float) -> Head:
    """Return the head at rest.

    Args:
        model: The face model.
        truth: The actor's identity and colours.
        lowest_head_m: Height in head space below which the neck is left out: there a turning neck would stick out of
            the clothes, which in life move along with it.
    """
    vertices = evaluate(model, identity=truth.identity)
    is_covered = model.region("face", "head", "neck") & (vertices[:, 1] < lowest_head_m)
    polygons, is_eyeball = _split_polygons(model, is_covered)
    face = mesh_object("face", to_blender(vertices), polygons[~is_eyeball])
    set_vertex_colours(face, "reflectance", truth.reflectance)
    _assign_materials(face, model, polygons[~is_eyeball])
    eyes = tuple(_eyeball(model, vertices, polygons, side, face) for side in (0, 1))
    triangles = model.triangles[~_polygon_is_covered(model, is_covered)]
    return Head(model, triangles, face, (eyes[0], eyes[1]))


def pose_head(head: Head, truth: ActorTruth, frame: int) -> np.ndarray:
    """Put the head into a frame's pose and return its vertices (V, 3) in head space, eyeballs unturned."""
    vertices = evaluate(head.model, identity=truth.identity, expression=truth.expression[frame])
    set_vertices(head.face, to_blender(vertices))
    rotation = matrix_from_quaternion_wxyz(truth.head_rotation_wxyz[frame])
    place = blender_from_take_pose(rotation, truth.head_translation_m[frame].astype(np.float64))
    head.face.matrix_world = Matrix(place.tolist())
    axes = BLENDER_HEAD_FROM_HEAD
    for side, center in enumerate(eye_centers(head.model, vertices)):
        yaw_rad, pitch_rad = (float(angle) for angle in truth.gaze_rad[frame, side])
        turn = axes @ gaze_rotation(yaw_rad, pitch_rad) @ axes.T
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turn, to_blender(center)
        head.eyes[side].matrix_basis = Matrix(local.tolist())
    return vertices


def _polygon_is_covered(model: FaceModel, is_covered: np.ndarray) -> np.ndarray:
    """Return for each triangle (T,) whether its polygon has a covered corner."""
    corners = np.where(model.polygons >= 0, model.polygons, model.polygons[:, :1])
    per_polygon = is_covered[corners].any(axis=1)
    triangle_counts = 1 + (model.polygons[:, 3] >= 0)
    return np.repeat(per_polygon, triangle_counts)


def _split_polygons(model: FaceModel, is_covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the polygons (P, 4) that are not covered, and whether each belongs to an eyeball."""
    corners = np.where(model.polygons >= 0, model.polygons, model.polygons[:, :1])
    polygons = model.polygons[~is_covered[corners].any(axis=1)]
    first = polygons[:, 0]
    is_eyeball = np.zeros(len(first), bool)
    for start, stop in model.eye_ranges:
        is_eyeball |= (first >= start) & (first < stop)
    return polygons, is_eyeball


def _assign_materials(face: bpy.types.Object, model: FaceModel, polygons: np.ndarray) -> None:
    skin = material("skin", Roughness=0.55, Subsurface_Weight=0.15, Subsurface_Scale=0.005, Specular_IOR_Level=0.28)
    teeth = material("teeth", (0.62, 0.57, 0.48), Roughness=0.25)
    wet = material("inside of the mouth", Roughness=0.28)
    for made in (skin, wet):
        made.node_tree.links.new(link_attribute(made, "reflectance"), principled(made).inputs["Base Color"])
        principled(made).inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
    add_noise_bump(skin, scale=420.0, strength=0.25, distance_m=0.0006)
    mesh = face.data
    assert isinstance(mesh, bpy.types.Mesh)
    for made in (skin, teeth, wet):
        mesh.materials.append(made)
    is_skin, is_teeth = model.region(*SKIN_REGIONS), model.region(*TEETH_REGIONS)
    slots = np.where(is_skin[polygons[:, 0]], 0, np.where(is_teeth[polygons[:, 0]], 1, 2))
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))


def _eyeball(
    model: FaceModel, vertices: np.ndarray, polygons: np.ndarray, side: int, face: bpy.types.Object
) -> bpy.types.Object:
    start, stop = (int(index) for index in model.eye_ranges[side])
    own = polygons[(polygons[:, 0] >= start) & (polygons[:, 0] < stop)]
    shifted = np.where(own >= 0, own - start, -1)
    center = eye_centers(model, vertices)[side]
    points = to_blender(vertices[start:stop] - center)
    eye = mesh_object(f"eye {side}", points, shifted, material=_eye_material(float(model.iris_radii[side])))
    eye.parent = face
    return eye


def _eye_material(iris_radius_m: float) -> bpy.types.Material:
    """Return an eyeball's material: pupil, iris with a dark rim, sclera, by distance from the line of sight."""
    made = material("eyeball", Roughness=0.07, Coat_Weight=0.6)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    place = nodes.new("ShaderNodeTexCoord")
    flat = nodes.new("ShaderNodeVectorMath")
    flat.operation = "MULTIPLY"
    flat.inputs[1].default_value = (1.0 / iris_radius_m, 0.0, 1.0 / iris_radius_m)
    length = nodes.new("ShaderNodeVectorMath")
    length.operation = "LENGTH"
    ramp = nodes.new("ShaderNodeMapRange")
    ramp.inputs["From Max"].default_value = 2.0
    colours = nodes.new("ShaderNodeValToRGB")
    _set_ramp(
        colours.color_ramp,
        [
            (0.0, (0.004, 0.004, 0.004)),
            (0.17, (0.004, 0.004, 0.004)),
            (0.20, tuple(0.8 * value for value in IRIS_COLOUR)),
            (0.32, tuple(1.5 * value for value in IRIS_COLOUR)),
            (0.44, tuple(0.7 * value for value in IRIS_COLOUR)),
            (0.485, tuple(0.2 * value for value in IRIS_COLOUR)),
            (0.53, SCLERA_COLOUR),
            (1.0, (0.60, 0.47, 0.42)),
        ],
    )
    links.new(place.outputs["Object"], flat.inputs[0])
    links.new(flat.outputs["Vector"], length.inputs[0])
    links.new(length.outputs["Value"], ramp.inputs["Value"])
    links.new(ramp.outputs["Result"], colours.inputs["Fac"])
    links.new(colours.outputs["Color"], principled(made).inputs["Base Color"])
    return made


def _set_ramp(ramp: bpy.types.ColorRamp, stops: list[tuple[float, tuple[float, ...]]]) -> None:
    while len(ramp.elements) < len(stops):
        ramp.elements.new(1.0)
    for element, (position, colour) in zip(ramp.elements, stops, strict=True):
        element.position = position
        element.color = (*colour, 1.0)
