"""What a face model does: evaluation, posing, importers and the built-in face."""

from dvp_core.face.built_in import built_in_face
from dvp_core.face.evaluation import evaluate, landmarks_68, rotate_eyes, vertex_normals
from dvp_core.face.import_flame import import_flame
from dvp_core.face.import_ict import import_ict
from dvp_core.face.posing import pose_vertices

__all__ = [
    "built_in_face",
    "evaluate",
    "import_flame",
    "import_ict",
    "landmarks_68",
    "pose_vertices",
    "rotate_eyes",
    "vertex_normals",
]
