"""Writes a take as USD: UsdSkel blend shapes, a joint each for head and eyes, the camera, the plate's frame numbers.

Needs the extra `usd` (Pixar's `usd-core`), imported only when something is written. Blender brings a USD of its own,
and the two must never meet in one process.

The stage is in metres with +Y up; the camera stands at the origin and looks along -Z, as USD's cameras do.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import dvp_core
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import write_atomically
from dvp_core.data.take import Take
from dvp_core.exchange.head_parts import SMALLEST_OFFSET_M
from dvp_core.face.evaluation import vertex_normals
from dvp_core.maths.frames import opengl_pose_from_take_pose
from dvp_core.maths.rotations import (
    gaze_rotation,
    normalized,
    quaternion_wxyz_from_matrix,
    unwrapped_quaternions,
)

INSTALL = "pip install 'deep-video-portraits[usd]'"
SUFFIXES = (".usd", ".usda", ".usdc")
JOINTS = ("head", "head/eye_left", "head/eye_right")
_SENSOR_WIDTH = 0.36  # 36 mm in tenths of the stage's metre, the unit that USD measures lenses in
_RANGE_M = (0.01, 1000.0)


@dataclass(frozen=True)
class _Library:
    """The modules of `pxr` that are used."""

    Gf: Any
    Sdf: Any
    Tf: Any
    Usd: Any
    UsdGeom: Any
    UsdShade: Any
    UsdSkel: Any
    Vt: Any


def _library() -> _Library:
    if "bpy" in sys.modules:
        raise DataError(
            "usd-core cannot be loaded beside Blender, which has a USD of its own",
            remedy="Run dvp export outside Blender, or use Blender's own export",
        )
    try:
        names = ("Gf", "Sdf", "Tf", "Usd", "UsdGeom", "UsdShade", "UsdSkel", "Vt")
        return _Library(*(importlib.import_module(f"pxr.{name}") for name in names))
    except ImportError as error:
        raise DataError(f"writing USD needs usd-core, which is not installed ({error})", remedy=INSTALL) from error


def write_usd(path: Path | str, take: Take) -> None:
    """Write a take with its face as `.usda` (text), `.usdc` or `.usd` (binary).

    Raises:
        DataError: usd-core is missing, the take does not carry its face, or the file cannot be written.
    """
    if take.face is None:
        raise DataError(
            f"the take carries no face (model '{take.face_model_id}')", where=path, remedy="Name it by --face-model"
        )
    pxr = _library()
    stage = _stage(pxr, take)
    _add_camera(pxr, stage, take)
    root = pxr.UsdSkel.Root.Define(stage, "/take/head")
    _add_skeleton(pxr, stage, take.face)
    _add_animation(pxr, stage, take, take.face)
    _add_mesh(pxr, stage, take, take.face)
    pxr.UsdSkel.BindingAPI.Apply(root.GetPrim())
    write_atomically(path, lambda temporary: _export(stage, temporary))


def _export(stage: Any, path: Path) -> None:
    try:
        is_written = stage.GetRootLayer().Export(str(path))
    except RuntimeError as error:  # Tf.ErrorException
        raise OSError(str(error)) from error
    if not is_written:
        raise OSError("usd-core could not write it")


def _stage(pxr: _Library, take: Take) -> Any:
    stage = pxr.Usd.Stage.CreateInMemory()
    pxr.UsdGeom.SetStageUpAxis(stage, pxr.UsdGeom.Tokens.y)
    pxr.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetStartTimeCode(take.clip.start_frame)
    stage.SetEndTimeCode(take.clip.start_frame + take.frame_count - 1)
    stage.SetTimeCodesPerSecond(float(take.clip.fps))
    stage.SetFramesPerSecond(float(take.clip.fps))
    stage.SetDefaultPrim(pxr.UsdGeom.Xform.Define(stage, "/take").GetPrim())
    layer = stage.GetRootLayer()
    layer.comment = f"Deep Video Portraits {dvp_core.__version__}"
    layer.customLayerData = {"subject": take.subject, "clip": take.clip.file_name, "fps": _rate_text(take.clip.fps)}
    return stage


def _rate_text(fps: Fraction) -> str:
    return f"{fps.numerator}/{fps.denominator}"


def _add_camera(pxr: _Library, stage: Any, take: Take) -> None:
    """Add the plate's camera; where its optical axis is off the middle, the aperture is shifted."""
    camera, unit = take.camera, _SENSOR_WIDTH / take.camera.width_px
    prim = pxr.UsdGeom.Camera.Define(stage, "/take/camera")
    prim.CreateFocalLengthAttr(camera.focal_px * unit)
    prim.CreateHorizontalApertureAttr(camera.width_px * unit)
    prim.CreateVerticalApertureAttr(camera.height_px * unit)
    prim.CreateHorizontalApertureOffsetAttr((camera.width_px / 2 - camera.principal_px[0]) * unit)
    prim.CreateVerticalApertureOffsetAttr((camera.principal_px[1] - camera.height_px / 2) * unit)
    prim.CreateClippingRangeAttr(pxr.Gf.Vec2f(*_RANGE_M))


def _add_skeleton(pxr: _Library, stage: Any, face: FaceModel) -> None:
    """Add one joint for the head at its origin and one in the middle of each eyeball."""
    places = [pxr.Gf.Matrix4d(1.0)]
    places += [pxr.Gf.Matrix4d().SetTranslate(pxr.Gf.Vec3d(*center.tolist())) for center in face.eye_centers]
    skeleton = pxr.UsdSkel.Skeleton.Define(stage, "/take/head/skeleton")
    skeleton.CreateJointsAttr(JOINTS)
    skeleton.CreateBindTransformsAttr(pxr.Vt.Matrix4dArray(places))
    skeleton.CreateRestTransformsAttr(pxr.Vt.Matrix4dArray(places))
    binding = pxr.UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets(["/take/head/animation"])


def _add_animation(pxr: _Library, stage: Any, take: Take, face: FaceModel) -> None:
    animation = pxr.UsdSkel.Animation.Define(stage, "/take/head/animation")
    animation.CreateJointsAttr(JOINTS)
    animation.CreateBlendShapesAttr(list(take.expression_names))
    rotations, translations = _joint_poses(take, face)
    animation.CreateScalesAttr(pxr.Vt.Vec3hArray.FromNumpy(np.ones((len(JOINTS), 3), np.float16)))
    attributes = (animation.CreateRotationsAttr(), animation.CreateTranslationsAttr())
    weights = animation.CreateBlendShapeWeightsAttr()
    for index, frame in enumerate(take.frames):
        quaternions = [pxr.Gf.Quatf(*map(float, quaternion)) for quaternion in rotations[index]]
        attributes[0].Set(pxr.Vt.QuatfArray(quaternions), frame)
        attributes[1].Set(pxr.Vt.Vec3fArray.FromNumpy(translations[index].astype(np.float32)), frame)
        weights.Set(pxr.Vt.FloatArray.FromNumpy(take.expression[index].astype(np.float32)), frame)


def _joint_poses(take: Take, face: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (F, 3, 4), w first, and translations (F, 3, 3) of the joints below each other.

    Blend shapes come before joints, so an eyeball that an expression shifts by m must turn about its centre c + m:
    a point p goes to R (p - c - m) + c + m, and the joint's translation is c + m - R m.
    """
    head, place = opengl_pose_from_take_pose(
        normalized(take.head_rotation_wxyz.astype(np.float64)), take.head_translation_m.astype(np.float64)
    )
    rotations, translations = [unwrapped_quaternions(head)], [place]
    for side, (start, stop) in enumerate(face.eye_ranges):
        shift = take.expression.astype(np.float64) @ face.expression_basis[:, start:stop].astype(np.float64).mean(
            axis=1
        )
        turns = np.stack([gaze_rotation(yaw, pitch) for yaw, pitch in take.gaze_rad[:, side].astype(np.float64)])
        rotations.append(unwrapped_quaternions(quaternion_wxyz_from_matrix(turns)))
        translations.append(face.eye_centers[side] + shift - np.einsum("fij,fj->fi", turns, shift))
    return np.stack(rotations, axis=1), np.stack(translations, axis=1)


def _add_mesh(pxr: _Library, stage: Any, take: Take, face: FaceModel) -> None:
    mesh = pxr.UsdGeom.Mesh.Define(stage, "/take/head/face")
    points = face.vertices.astype(np.float32)
    corners = face.polygons >= 0
    mesh.CreatePointsAttr(pxr.Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateExtentAttr(pxr.Vt.Vec3fArray.FromNumpy(np.stack([points.min(axis=0), points.max(axis=0)])))
    mesh.CreateFaceVertexCountsAttr(_numbers(pxr, corners.sum(axis=1)))
    mesh.CreateFaceVertexIndicesAttr(_numbers(pxr, face.polygons[corners]))
    mesh.CreateSubdivisionSchemeAttr(pxr.UsdGeom.Tokens.none)
    mesh.CreateDoubleSidedAttr(True)
    mesh.CreateNormalsAttr(
        pxr.Vt.Vec3fArray.FromNumpy(vertex_normals(face.vertices, face.triangles).astype(np.float32))
    )
    mesh.SetNormalsInterpolation(pxr.UsdGeom.Tokens.vertex)
    primvars = pxr.UsdGeom.PrimvarsAPI(mesh.GetPrim())
    types = pxr.Sdf.ValueTypeNames
    coordinates = primvars.CreatePrimvar("st", types.TexCoord2fArray, pxr.UsdGeom.Tokens.faceVarying)
    coordinates.Set(pxr.Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(face.uv, np.float32)))
    coordinates.SetIndices(_numbers(pxr, face.polygon_uv[corners]))
    colors = primvars.CreatePrimvar("displayColor", types.Color3fArray, pxr.UsdGeom.Tokens.vertex)
    colors.Set(pxr.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(take.reflectance, np.float32)))
    _paint(pxr, stage, mesh)
    _bind(pxr, stage, mesh, face)


def _paint(pxr: _Library, stage: Any, mesh: Any) -> None:
    """Give the mesh a dull skin whose colour is that of the vertices."""
    types = pxr.Sdf.ValueTypeNames
    material = pxr.UsdShade.Material.Define(stage, "/take/head/skin")
    reader = pxr.UsdShade.Shader.Define(stage, "/take/head/skin/color")
    reader.CreateIdAttr("UsdPrimvarReader_float3")
    reader.CreateInput("varname", types.String).Set("displayColor")
    surface = pxr.UsdShade.Shader.Define(stage, "/take/head/skin/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(0.7)
    color = reader.CreateOutput("result", types.Float3)
    surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(color)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    pxr.UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)


def _numbers(pxr: _Library, values: np.ndarray) -> Any:
    return pxr.Vt.IntArray.FromNumpy(np.ascontiguousarray(values, np.int32))


def _bind(pxr: _Library, stage: Any, mesh: Any, face: FaceModel) -> None:
    """Hang each vertex on its one joint, and the expressions on the mesh."""
    joint = np.zeros(face.vertex_count, np.int32)
    for side, (start, stop) in enumerate(face.eye_ranges):
        joint[start:stop] = side + 1
    binding = pxr.UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets(["/take/head/skeleton"])
    binding.CreateGeomBindTransformAttr(pxr.Gf.Matrix4d(1.0))
    binding.CreateJointIndicesPrimvar(False, 1).Set(_numbers(pxr, joint))
    binding.CreateJointWeightsPrimvar(False, 1).Set(pxr.Vt.FloatArray.FromNumpy(np.ones(len(joint), np.float32)))
    binding.CreateBlendShapesAttr(list(face.expression_names))
    paths = [f"{mesh.GetPath()}/{name}" for name in _prim_names(pxr, face.expression_names)]
    for path, offsets in zip(paths, face.expression_basis, strict=True):
        rows = np.flatnonzero(np.abs(offsets).max(axis=1) >= SMALLEST_OFFSET_M)
        rows = rows if len(rows) else np.zeros(1, np.int64)
        shape = pxr.UsdSkel.BlendShape.Define(stage, path)
        shape.CreateOffsetsAttr(pxr.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(offsets[rows], np.float32)))
        shape.CreatePointIndicesAttr(_numbers(pxr, rows))
    binding.CreateBlendShapeTargetsRel().SetTargets(paths)


def _prim_names(pxr: _Library, names: tuple[str, ...]) -> list[str]:
    """Return names that USD allows for prims, each one once."""
    found: list[str] = []
    for name in names:
        plain = pxr.Tf.MakeValidIdentifier(name)
        twins = sum(other == plain or other.startswith(f"{plain}__") for other in found)
        found.append(f"{plain}__{twins}" if twins else plain)
    return found
