"""Small helpers between numpy and Blender meshes: objects from arrays, materials from a few numbers."""

from __future__ import annotations

import bpy
import numpy as np


def mesh_object(
    name: str, vertices: np.ndarray, polygons: np.ndarray, *, material: bpy.types.Material | None = None
) -> bpy.types.Object:
    """Return a smooth-shaded object of vertices (V, 3) and polygons (P, 4), -1 last for a triangle, in the scene."""
    corners = [[int(vertex) for vertex in polygon if vertex >= 0] for polygon in polygons]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], corners)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(corners), bool))
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(thing)
    if material is not None:
        mesh.materials.append(material)
    return thing


def set_vertices(thing: bpy.types.Object, vertices: np.ndarray) -> None:
    """Move an object's vertices to (V, 3)."""
    mesh = thing.data
    assert isinstance(mesh, bpy.types.Mesh)
    mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.update()


def set_vertex_colours(thing: bpy.types.Object, name: str, colours: np.ndarray) -> None:
    """Store linear colours (V, 3) as a colour attribute."""
    mesh = thing.data
    assert isinstance(mesh, bpy.types.Mesh)
    layer = mesh.color_attributes.new(name=name, type="FLOAT_COLOR", domain="POINT")
    rgba = np.concatenate([colours, np.ones((len(colours), 1))], axis=1).astype(np.float32)
    layer.data.foreach_set("color", rgba.ravel())


def material(name: str, colour: tuple[float, float, float] = (0.5, 0.5, 0.5), **inputs: float) -> bpy.types.Material:
    """Return a Principled material; `inputs` name its sockets with underscores for spaces."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = principled(made)
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    for socket, value in inputs.items():
        shader.inputs[socket.replace("_", " ")].default_value = value
    return made


def principled(made: bpy.types.Material) -> bpy.types.Node:
    """Return the Principled node of a material."""
    return made.node_tree.nodes["Principled BSDF"]


def link_attribute(made: bpy.types.Material, name: str) -> bpy.types.NodeSocket:
    """Return the colour socket of a vertex colour attribute."""
    node = made.node_tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node.outputs["Color"]


def add_noise_bump(made: bpy.types.Material, *, scale: float, strength: float, distance_m: float) -> None:
    """Roughen a material with noise in object space."""
    nodes, links = made.node_tree.nodes, made.node_tree.links
    place = nodes.new("ShaderNodeTexCoord")
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 3.0
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = strength
    bump.inputs["Distance"].default_value = distance_m
    links.new(place.outputs["Object"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], principled(made).inputs["Normal"])
