"""Run by a Python of its own: opens a stage with usd-core and lets it do the skinning.

Arguments: the file, the time codes to look at (comma), the `.npz` to write.
"""

import json
import sys

import numpy as np
from pxr import Usd, UsdGeom, UsdSkel, UsdValidation


def main(path, frames, output):
    stage = Usd.Stage.Open(path)
    camera = UsdGeom.Camera.Get(stage, "/take/camera")
    mesh = UsdGeom.Mesh.Get(stage, "/take/head/face")
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    facts = {
        "start": stage.GetStartTimeCode(),
        "end": stage.GetEndTimeCode(),
        "rate": stage.GetTimeCodesPerSecond(),
        "up": str(UsdGeom.GetStageUpAxis(stage)),
        "meters": UsdGeom.GetStageMetersPerUnit(stage),
        "default": str(stage.GetDefaultPrim().GetPath()),
        "data": dict(stage.GetRootLayer().customLayerData),
        "shapes": list(binding.GetBlendShapesAttr().Get()),
        "frustum": frustum(camera.GetCamera(Usd.TimeCode.Default()).frustum),
        "format": str(stage.GetRootLayer().GetFileFormat().formatId),
        "times": list(UsdSkel.Animation.Get(stage, "/take/head/animation").GetBlendShapeWeightsAttr().GetTimeSamples()),
    }
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert validators
    facts["errors"] = [
        error.GetErrorAsString() for error in UsdValidation.ValidationContext(validators).Validate(stage)
    ]
    primvars = UsdGeom.PrimvarsAPI(mesh.GetPrim())
    arrays = {
        "indices": np.array(mesh.GetFaceVertexIndicesAttr().Get()),
        "counts": np.array(mesh.GetFaceVertexCountsAttr().Get()),
        "uv": np.array(primvars.GetPrimvar("st").ComputeFlattened()),
        "colors": np.array(primvars.GetPrimvar("displayColor").Get()),
        "normals": np.array(mesh.GetNormalsAttr().Get()),
    }
    assert UsdSkel.BakeSkinning(UsdSkel.Root.Get(stage, "/take/head"))
    matrices = UsdGeom.XformCache()
    for frame in frames:
        matrices.SetTime(frame)
        matrix = np.array(matrices.GetLocalToWorldTransform(mesh.GetPrim()))
        points = np.array(mesh.GetPointsAttr().Get(frame), np.float64)
        arrays[f"points.{frame:g}"] = points @ matrix[:3, :3] + matrix[3, :3]
    np.savez(output, facts=json.dumps(facts), **arrays)


def frustum(shape):
    window = shape.GetWindow()
    return [*window.GetMin(), *window.GetMax()]


if __name__ == "__main__":
    main(sys.argv[1], [float(frame) for frame in sys.argv[2].split(",")], sys.argv[3])
