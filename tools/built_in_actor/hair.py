"""Hair of the built-in actor: strands combed over the scalp, brows and lashes that move with the skin."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from dvp_core.data.face_model import FaceModel
from dvp_core.face.evaluation import landmarks_68, vertex_normals
from tools.built_in_actor.meshes import material
from tools.built_in_actor.person import SKIN_REGIONS, to_blender

STRAND_COUNT = 9000
STRAND_POINTS = 7
HAIR_COLOUR = (0.035, 0.019, 0.011)
PARTING_X_M = 0.028


@dataclass(frozen=True)
class FaceHair:
    """Short hairs that follow the deforming skin.

    Attributes:
        curves: Blender object, child of the face.
        vertices: (N, 3) vertex numbers of each root's triangle.
        weights: (N, 3) barycentric weights.
        offsets: (N, points, 3) from the root, head axes.
    """

    curves: bpy.types.Object
    vertices: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray


def curves_object(name: str, points: np.ndarray, *, radius_m: float, face: bpy.types.Object) -> bpy.types.Object:
    """Return hair curves through points (N, points, 3) in the axes of Blender's head, thinning towards the tip."""
    count, length = points.shape[:2]
    data = bpy.data.hair_curves.new(name)
    data.add_curves([length] * count)
    data.position_data.foreach_set("vector", np.ascontiguousarray(points, np.float32).ravel())
    taper = np.tile(radius_m * np.linspace(1.0, 0.25, length), count).astype(np.float32)
    layer = data.attributes.get("radius") or data.attributes.new("radius", "FLOAT", "POINT")
    layer.data.foreach_set("value", taper)
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    thing.parent = face
    data.materials.append(_hair_material(name))
    return thing


def _hair_material(name: str) -> bpy.types.Material:
    made = material(name, HAIR_COLOUR, Roughness=0.42, Specular_IOR_Level=0.35)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    info = nodes.new("ShaderNodeHairInfo")
    tone = nodes.new("ShaderNodeMix")
    tone.data_type = "RGBA"
    tone.inputs["A"].default_value = (*(0.6 * value for value in HAIR_COLOUR), 1.0)
    tone.inputs["B"].default_value = (*(1.9 * value for value in HAIR_COLOUR), 1.0)
    links.new(info.outputs["Random"], tone.inputs["Factor"])
    links.new(tone.outputs["Result"], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def scalp_weight(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Return (V,) 1 where hair grows: above a line from the forehead over the ears to the nape."""
    marks = landmarks_68(model, vertices)
    brow_height, eye_height = marks[17:27, 1].mean(), model.eye_centers[:, 1].mean()
    forehead_depth, ear_depth = marks[27, 2], marks[[0, 16], 2].mean()
    backward = (forehead_depth - vertices[:, 2]) / (forehead_depth - ear_depth)
    # High over the forehead, down the temples to sideburns before the ears, over the ears, and to the nape.
    line = np.array(
        [
            (0.0, brow_height + 0.043),
            (0.35, brow_height + 0.036),
            (0.62, brow_height + 0.012),
            (0.80, eye_height - 0.012),
            (0.98, eye_height - 0.022),
            (1.05, eye_height + 0.026),
            (1.40, eye_height + 0.020),
            (1.60, eye_height - 0.050),
            (2.2, eye_height - 0.075),
        ]
    )
    hairline = np.interp(backward, line[:, 0], line[:, 1])
    above = np.clip((vertices[:, 1] - hairline) / 0.008, 0.0, 1.0)
    # Ears stand out further than the landmarks before them; no hair grows there.
    stands_out = np.abs(vertices[:, 0]) > np.abs(marks[[0, 16], 0]).mean() + 0.006
    is_ear = stands_out & (np.abs(vertices[:, 1] - eye_height + 0.015) < 0.05) & (backward > 0.7)
    return np.asarray(above * ~is_ear * model.region("face", "head", "neck"))


def build_hair(model: FaceModel, vertices: np.ndarray, face: bpy.types.Object) -> bpy.types.Object:
    """Return strands combed from a parting over the scalp; `vertices` (V, 3) is the head at rest."""
    triangles = model.triangles[model.region(*SKIN_REGIONS)[model.triangles].all(axis=1)]
    weight = scalp_weight(model, vertices)
    random = np.random.default_rng(4)
    chosen, barycentric = _scattered(vertices, triangles, weight, STRAND_COUNT, random)
    roots = np.einsum("nc,ncx->nx", barycentric, vertices[chosen])
    normals = vertex_normals(vertices, triangles)
    outward = np.einsum("nc,ncx->nx", barycentric, normals[chosen])
    tree = BVHTree.FromPolygons([tuple(point) for point in vertices], triangles.tolist())
    points = _combed(roots, outward, tree, vertices, random)
    return curves_object("hair", to_blender(points), radius_m=0.00028, face=face)


def _scattered(
    vertices: np.ndarray, triangles: np.ndarray, weight: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return triangles (count, 3) and barycentric weights (count, 3), spread by area times weight."""
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = area * weight[triangles].mean(axis=1)
    picked = random.choice(len(triangles), count, p=share / share.sum())
    barycentric = random.dirichlet((1.0, 1.0, 1.0), count)
    return triangles[picked], barycentric


def _combed(
    roots: np.ndarray, outward: np.ndarray, tree: BVHTree, vertices: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return strands (N, points, 3) that lean from the parting to the sides and back, kept above the scalp."""
    top = vertices[:, 1].max()
    height = np.clip((roots[:, 1] - (top - 0.10)) / 0.10, 0.0, 1.0)
    length_m = (0.020 + 0.034 * height) * random.uniform(0.8, 1.15, len(roots))
    side = np.where(roots[:, 0] > PARTING_X_M, 1.0, -1.0)
    lateral = side * (0.35 + 0.65 * height)
    # Over the forehead hair is combed back, else it would fall into the face.
    forward = np.clip(outward[:, 2], 0.0, 1.0) * np.clip(1.6 - np.abs(roots[:, 0]) / 0.035, 0.0, 1.0)
    flow = np.stack([lateral, -0.55 - 0.35 * (1.0 - height) + 1.9 * forward, -0.65 * np.ones(len(roots))], axis=1)
    # Clumps: neighbours lean alike.
    clump = np.sin(roots @ np.array([[310.0, 190.0, 90.0], [90.0, 280.0, 210.0], [250.0, 60.0, 330.0]]).T)
    flow += 0.22 * clump + random.normal(0.0, 0.10, flow.shape)
    points = np.zeros((len(roots), STRAND_POINTS, 3))
    points[:, 0] = roots - 0.001 * outward
    lift_m = (0.0025 + 0.010 * height) * random.uniform(0.6, 1.2, len(roots))
    place, normal = roots.copy(), outward.copy()
    for step in range(1, STRAND_POINTS):
        part = step / (STRAND_POINTS - 1)
        along = flow - (flow * normal).sum(axis=1, keepdims=True) * normal
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        place = place + along * (length_m / (STRAND_POINTS - 1))[:, None]
        surface, normal = _nearest(tree, place)
        above_m = lift_m * np.sin(np.pi * min(0.25 + 0.62 * part, 1.0)) + 0.0008
        points[:, step] = surface + normal * above_m[:, None]
        place = surface
    return points


def _nearest(tree: BVHTree, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [tree.find_nearest(Vector(point)) for point in points]
    return np.array([hit[0] for hit in found]), np.array([hit[1] for hit in found])


def build_brows(model: FaceModel, vertices: np.ndarray, face: bpy.types.Object) -> FaceHair:
    """Return brows: hairs along the brow landmarks, leaning outward."""
    marks = landmarks_68(model, vertices)
    random = np.random.default_rng(6)
    roots, directions = [], []
    for line, outward in ((marks[22:27], 1.0), (marks[21:16:-1], -1.0)):
        part = np.sort(random.uniform(0.0, 1.0, 110))
        on_line = np.stack([np.interp(part * 4, np.arange(5), line[:, axis]) for axis in range(3)], axis=1)
        thickness_m = 0.0030 * np.minimum(1.0, 1.6 - 1.25 * part) * np.minimum(1.0, 0.55 + 4 * part)
        on_line[:, 1] += random.uniform(-0.5, 0.5, len(part)) * 2 * thickness_m
        roots.append(on_line)
        lean = np.stack([outward * (0.5 + 0.6 * part), 0.75 - 1.0 * part, 0.12 * np.ones(len(part))], axis=1)
        directions.append(lean + random.normal(0.0, 0.12, lean.shape))
    offsets = _short_hairs(np.concatenate(directions), length_m=0.0075, lift_m=0.0012)
    return _attached("brows", model, vertices, np.concatenate(roots), offsets, face, radius_m=0.00016)


def build_lashes(model: FaceModel, vertices: np.ndarray, face: bpy.types.Object) -> FaceHair:
    """Return upper lashes along the lid landmarks."""
    marks = landmarks_68(model, vertices)
    random = np.random.default_rng(8)
    roots, directions = [], []
    for line, outward in ((marks[[42, 43, 44, 45]], 1.0), (marks[[39, 38, 37, 36]], -1.0)):
        part = np.sort(random.uniform(0.05, 1.0, 60))
        on_line = np.stack([np.interp(part * 3, np.arange(4), line[:, axis]) for axis in range(3)], axis=1)
        roots.append(on_line)
        lean = np.stack([outward * (part - 0.35), 0.25 * np.ones(len(part)), 0.9 * np.ones(len(part))], axis=1)
        directions.append(lean)
    offsets = _short_hairs(np.concatenate(directions), length_m=0.0062, lift_m=0.0)
    offsets[..., 1] += 0.0018 * np.linspace(0.0, 1.0, offsets.shape[1]) ** 2
    return _attached("lashes", model, vertices, np.concatenate(roots), offsets, face, radius_m=0.00014)


def _short_hairs(directions: np.ndarray, *, length_m: float, lift_m: float) -> np.ndarray:
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    part = np.linspace(0.0, 1.0, 4)
    offsets = unit[:, None] * part[:, None] * length_m
    offsets[..., 2] += lift_m
    return offsets


def _attached(
    name: str,
    model: FaceModel,
    vertices: np.ndarray,
    roots: np.ndarray,
    offsets: np.ndarray,
    face: bpy.types.Object,
    *,
    radius_m: float,
) -> FaceHair:
    triangles = model.triangles[model.region("face", "head")[model.triangles].all(axis=1)]
    tree = BVHTree.FromPolygons([tuple(point) for point in vertices], triangles.tolist())
    found = [tree.find_nearest(Vector(point)) for point in roots]
    chosen = triangles[[hit[2] for hit in found]]
    weights = np.stack(
        [_barycentric(np.array(hit[0]), vertices[corner]) for hit, corner in zip(found, chosen, strict=True)]
    )
    points = np.einsum("nc,ncx->nx", weights, vertices[chosen])[:, None] + offsets
    curves = curves_object(name, to_blender(points), radius_m=radius_m, face=face)
    return FaceHair(curves, chosen, weights, offsets)


def _barycentric(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1)
    b, c = np.linalg.lstsq(edges, point - corners[0], rcond=None)[0]
    return np.array([1.0 - b - c, b, c])


def pose_face_hair(hair: FaceHair, vertices: np.ndarray) -> None:
    """Move hairs with the skin they grow on; `vertices` (V, 3) in head space."""
    roots = np.einsum("nc,ncx->nx", hair.weights, vertices[hair.vertices])
    points = to_blender(roots[:, None] + hair.offsets)
    data = hair.curves.data
    assert isinstance(data, bpy.types.Curves)
    data.position_data.foreach_set("vector", np.ascontiguousarray(points, np.float32).ravel())
    data.update_tag()
