"""The rooms' table of ARCHITECTURE.md as a dict: who may import whom, and what must load inside Blender."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STANDARD = set(sys.stdlib_module_names)
LIGHT = ("data", "maths", "face", "edit", "exchange", "raster", "passes")
HEAVY = (
    "torch",
    "ray",
    "cv2",
    "av",
    "OpenEXR",
    "numba",
    "skimage",
    "matplotlib",
    "safetensors",
    "c2pa",
    "pydantic",
    "pxr",
    "scipy",
    "h5py",
    "onnx",
)

# room: (our rooms it may import, libraries it may import)
ROOMS = {
    "dvp_core/data": ({"maths"}, {"numpy"}),
    "dvp_core/maths": ({"data"}, {"numpy"}),
    "dvp_core/face": ({"data", "maths"}, {"numpy"}),
    "dvp_core/edit": ({"data", "maths", "face"}, {"numpy"}),
    "dvp_core/exchange": ({"data", "maths", "face", "edit"}, {"numpy", "pxr"}),
    "dvp_core/raster": ({"data", "maths"}, {"numpy", "numba", "torch"}),
    "dvp_core/passes": ({"data", "maths", "face", "raster"}, {"numpy", "OpenEXR"}),
    "dvp_core/video": ({"data", "maths"}, {"numpy", "av"}),
    "dvp_core/landmarks": ({"data"}, {"numpy", "torch", "face_alignment", "mediapipe", "cv2"}),
    "dvp_core/tracking": ({"data", "maths", "face", "raster"}, {"numpy"}),
    "dvp_core/tracking/batched": ({"data", "maths", "tracking"}, {"numpy", "torch"}),
    "dvp_core/generator": ({"data", "maths"}, {"numpy", "torch", "safetensors", "onnx"}),
    "dvp_core/compose": ({"data", "maths", "face", "raster"}, {"numpy", "cv2"}),
    "dvp_core/review": ({"data", "maths", "face", "raster", "passes"}, {"numpy", "cv2"}),  # cv2 draws lines and words
    "dvp_core/trust": ({"data", "maths", "passes", "video"}, {"numpy", "c2pa", "cryptography", "cv2"}),  # cv2 marks
    "dvp_core/evaluate": (
        {"data", "maths", "face", "video", "landmarks", "tracking", "passes", "generator", "review"},
        {"numpy", "skimage", "matplotlib", "cv2"},  # cv2 follows points from picture to picture
    ),
    "dvp_core/actor": ({"data"}, {"numpy"}),
    "dvp_core/pipeline": (
        {
            *("data", "maths", "face", "edit", "raster", "passes", "video", "landmarks", "tracking", "generator"),
            *("compose", "trust", "evaluate", "actor", "review", "exchange"),
        },
        {"numpy", "cv2", "h5py", "scipy"},
    ),
    "dvp_core/cli": ({"pipeline", "data"}, {"tyro", "rich"}),
    "farm": (
        {"data", "pipeline", "farm"},
        {"pydantic", "fastapi", "starlette", "uvicorn", "tyro", "rich"},
    ),
    "farm/backends": ({"data", "pipeline", "farm"}, {"ray"}),
    "blender_addon": (
        {"data", "maths", "face", "edit", "raster", "passes", "farm.client", "blender_addon"},
        {"bpy", "bpy_extras", "mathutils", "gpu", "gpu_extras", "blf", "numpy"},
    ),
}


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT).parent.as_posix()
    return next(room for room in sorted(ROOMS, key=len, reverse=True) if f"{relative}/".startswith(f"{room}/"))


def python_files() -> list[Path]:
    found = [path for top in ("dvp_core", "farm", "blender_addon") for path in (ROOT / top).rglob("*.py")]
    return sorted(path for path in found if path.parent != ROOT / "dvp_core")


def imports_of(path: Path) -> list[str]:
    """Names of all imported modules in full, relative imports resolved, those inside functions too."""
    package = path.relative_to(ROOT).parent.as_posix().split("/")
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.append(".".join([*base, *(node.module.split(".") if node.module else [])]))
    return found


def is_allowed(name: str, room: str) -> bool:
    ours, libraries = ROOMS[room]
    top, *rest = name.split(".")
    if top == "dvp_core":
        return not rest or rest[0] in ours or f"dvp_core/{rest[0]}" == room
    if top in ("farm", "blender_addon"):
        return any(name == allowed or name.startswith(f"{allowed}.") for allowed in ours)
    return top in libraries or top in STANDARD


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_stay_within_the_table(path):
    room = room_of(path)
    refused = [name for name in imports_of(path) if not is_allowed(name, room)]
    assert not refused, f"{path.relative_to(ROOT)} in room {room} imports {refused}"


def test_only_two_files_import_ray():
    importing = [path for path in python_files() if any(name.split(".")[0] == "ray" for name in imports_of(path))]
    assert sorted(path.name for path in importing) == ["on_ray.py", "ray_cluster.py"]
    assert {path.parent for path in importing} == {ROOT / "farm/backends"}


def test_farm_client_needs_the_standard_library_alone():
    foreign = [name for name in imports_of(ROOT / "farm/client.py") if name.split(".")[0] not in STANDARD]
    assert foreign == []


def test_light_rooms_load_with_the_heavy_libraries_blocked():
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for room in LIGHT
        for path in sorted((ROOT / "dvp_core" / room).rglob("*.py"))
        if path.name not in ("compiled.py", "on_torch.py")  # the twins that exist to use a library
    ]
    script = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({HEAVY!r}))\n"  # None in sys.modules makes an import fail
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
