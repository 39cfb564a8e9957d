import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import pytest

from blender_addon.build import build_addon

ROOT = Path(__file__).resolve().parents[2]

# Run by a process that cannot see this checkout: only what the zip carries is there.
INSTALL_AND_USE = """
import sys
sys.modules.update(dict.fromkeys(["OpenEXR", "numba"]))  # of which Blender has none
sys.path[:] = [path for path in sys.path if path not in ("", {root!r})]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import bpy
repos = bpy.context.preferences.extensions.repos
repo = repos.new(name="Test", module="test", custom_directory={repository!r})
bpy.ops.extensions.package_install_files(filepath={zip!r}, repo="test", enable_on_install=True)
import dvp_core
assert not dvp_core.__file__.startswith({root!r}), dvp_core.__file__
assert bpy.ops.dvp.import_take(filepath={take!r}) == {{"FINISHED"}}
assert bpy.ops.dvp.export_passes(output={passes!r}, frames="1002") == {{"FINISHED"}}
bpy.ops.preferences.addon_disable(module="bl_ext.test.deep_video_portraits")
assert not hasattr(bpy.types.Scene, "dvp")
bpy.ops.preferences.addon_enable(module="bl_ext.test.deep_video_portraits")
assert hasattr(bpy.types.Scene, "dvp")
bpy.ops.preferences.addon_disable(module="bl_ext.test.deep_video_portraits")
print("all done")
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    return build_addon(tmp_path_factory.mktemp("dist"))


def test_blenders_own_check_accepts_the_zip(extension):
    checker = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    done = subprocess.run(
        [sys.executable, str(checker), "validate", str(extension)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_equal_sources_give_equal_bytes(extension, tmp_path):
    assert build_addon(tmp_path / "again.zip").read_bytes() == extension.read_bytes()


def test_zip_carries_every_module_it_imports(extension):
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
        assert "__init__.py" in names
        assert "passes/engine.py" in names
        assert not [name for name in names if name.endswith((".pyc", "cli.py"))]
        wheel = next(name for name in names if name.endswith(".whl"))
        with archive.open(wheel) as stream, zipfile.ZipFile(stream) as inner:
            inside = inner.namelist()
    for module in ("dvp_core/data/take.py", "dvp_core/passes/render.py", "farm/client.py"):
        assert module in inside
    assert not [name for name in inside if name.startswith(("dvp_core/tracking", "dvp_core/generator"))]


def test_installed_zip_imports_and_exports_without_the_checkout(extension, take_file, tmp_path):
    from dvp_core.passes import read_pass_frame, render_passes

    path, take = take_file
    script = INSTALL_AND_USE.format(
        root=str(ROOT),
        repository=str(tmp_path / "repository"),
        zip=str(extension),
        take=str(path),
        passes=str(tmp_path / "passes"),
    )
    environment = {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all done" in done.stdout
    (expected,) = render_passes(take, frames=[1002])
    assert read_pass_frame(tmp_path / "passes" / "passes.1002.exr").content_sha256 == expected.content_sha256


def test_versions_agree():
    import tomllib

    import blender_addon
    from dvp_core import __version__

    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text())
    assert manifest["version"] == __version__
    assert ".".join(map(str, blender_addon.bl_info["version"])) == __version__
    assert ".".join(map(str, blender_addon.bl_info["blender"])) == manifest["blender_version_min"]


def test_registers_twice_and_ends_cleanly_after_rendering(take_file, tmp_path):
    """An engine that rendered and stays registered hangs or crashes Blender when it ends."""
    path, _ = take_file
    script = (
        "import blender_addon, bpy\n"
        "blender_addon.register(); blender_addon.unregister(); blender_addon.register()\n"
        "bpy.ops.wm.read_homefile(use_empty=True)\n"
        f"bpy.ops.dvp.import_take(filepath={str(path)!r})\n"
        f"bpy.ops.dvp.export_passes(output={str(tmp_path / 'p')!r}, frames='1001')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


def test_plain_python_imports_the_package_without_blender():
    script = "import sys; sys.modules['bpy'] = None; import blender_addon, blender_addon.cli, blender_addon.headless"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
