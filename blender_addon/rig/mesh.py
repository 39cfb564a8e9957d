# SPDX-License-Identifier: GPL-3.0-or-later
"""The face as a Blender mesh with one shape key per expression. It knows no animation and no camera."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.maths.frames import BLENDER_HEAD_FROM_HEAD

from . import names

# Which regions share a material; what is not named here is skin.
_MATERIAL_REGIONS: dict[str, tuple[str, ...]] = {
    "skin": (),
    "eyes": ("eyeball_left", "eyeball_right"),
    "teeth": ("teeth",),
    "mouth": ("mouth_socket", "gums", "tongue"),
}
_ROUGHNESS = {"skin": 0.55, "eyes": 0.1, "teeth": 0.25, "mouth": 0.4}


def blender_positions(points_head: np.ndarray) -> np.ndarray:
    """Return points (..., 3) of head space in the axes of the rig at rest, float32."""
    return (points_head @ BLENDER_HEAD_FROM_HEAD.T).astype(np.float32)


def make_face_object(face: FaceModel, reflectance: np.ndarray, *, name: str) -> bpy.types.Object:
    """Return an unlinked object with the face's mesh, materials, shape keys and vertex groups.

    Args:
        face: A face without identity modes.
        reflectance: (V, 3) linear Rec.709 colours, kept as the vertex colours `reflectance`.
        name: Name of object and mesh.
    """
    mesh = bpy.data.meshes.new(name)
    _add_polygons(mesh, face)
    _add_reflectance(mesh, reflectance)
    for material_name in _MATERIAL_REGIONS:
        mesh.materials.append(_material(material_name))
    face_object = bpy.data.objects.new(name, mesh)
    _add_shape_keys(face_object, face)
    _add_vertex_groups(face_object, face)
    return face_object


def _add_polygons(mesh: bpy.types.Mesh, face: FaceModel) -> None:
    is_corner = face.polygons >= 0
    corner_counts = is_corner.sum(axis=1)
    corners = face.polygons[is_corner]
    mesh.vertices.add(face.vertex_count)
    mesh.vertices.foreach_set("co", blender_positions(face.vertices).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(corners, np.int32))
    mesh.polygons.add(len(corner_counts))
    starts = np.cumsum(corner_counts) - corner_counts
    mesh.polygons.foreach_set("loop_start", starts.astype(np.int32))
    mesh.polygons.foreach_set("loop_total", corner_counts.astype(np.int32))
    mesh.polygons.foreach_set("material_index", _material_numbers(face))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(corner_counts), np.bool_))
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", np.ascontiguousarray(face.uv[face.polygon_uv[is_corner]], np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.validate(clean_customdata=False)


def _material_numbers(face: FaceModel) -> np.ndarray:
    """Return each polygon's material (P,), by the region of its first corner."""
    of_vertex = np.zeros(face.vertex_count, np.int32)
    for number, regions in enumerate(_MATERIAL_REGIONS.values()):
        of_vertex[face.region(*regions)] = number
    return of_vertex[face.polygons[:, 0]]


def _add_reflectance(mesh: bpy.types.Mesh, reflectance: np.ndarray) -> None:
    attribute = mesh.color_attributes.new(names.REFLECTANCE, "FLOAT_COLOR", "POINT")
    colors = np.ones((len(reflectance), 4), np.float32)
    colors[:, :3] = reflectance
    attribute.data.foreach_set("color", colors.ravel())


def _material(name: str) -> bpy.types.Material:
    """Return a new material that shows the vertex colours."""
    material = bpy.data.materials.new(f"Portrait {name}")
    if material.node_tree is None:  # from 5.0 on every material has one
        material.use_nodes = True
    tree: Any = material.node_tree
    surface = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    surface.inputs["Roughness"].default_value = _ROUGHNESS[name]
    color = tree.nodes.new("ShaderNodeVertexColor")
    color.layer_name = names.REFLECTANCE
    color.location = (-250, 300)
    tree.links.new(color.outputs["Color"], surface.inputs["Base Color"])
    return material


def _add_shape_keys(face_object: bpy.types.Object, face: FaceModel) -> None:
    face_object.shape_key_add(name=names.BASIS_KEY, from_mix=False)
    neutral = face.vertices.astype(np.float64)
    for name, offsets in zip(face.expression_names, face.expression_basis, strict=True):
        key = face_object.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", blender_positions(neutral + offsets).ravel())


def _add_vertex_groups(face_object: bpy.types.Object, face: FaceModel) -> None:
    is_skin = np.ones(face.vertex_count, np.bool_)
    for name, (start, stop) in zip(names.EYE_BONES, face.eye_ranges.tolist(), strict=True):
        face_object.vertex_groups.new(name=name).add(list(range(start, stop)), 1.0, "REPLACE")
        is_skin[start:stop] = False
    head = face_object.vertex_groups.new(name=names.HEAD_BONE)
    head.add(np.flatnonzero(is_skin).tolist(), 1.0, "REPLACE")
