"""What no module but the named ones may call, read from the source: writers of pictures, and readers that run code.

The tests fail by these rules and `benchmarks/trust_table.py` counts by them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dvp_core", "farm", "blender_addon")
WRITING_CALLS = {"imwrite", "imwritemulti", "imsave", "VideoWriter", "write_png", "encode_movie", "fromarray"}
# The encoders that write under temporary names, the one writer that names the results, and who may call them.
WRITERS = ("dvp_core/video/", "dvp_core/trust/publish.py")
# The one module that opens a pickle, in a child process that answers a short list of names.
AUDITED_READER = "dvp_core/pipeline/pickled_arrays.py"
_RUNNING_MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
_RUNNING_CALLS = {("torch", "load"), ("yaml", "load"), ("", "eval"), ("", "exec"), ("os", "system"), ("os", "popen")}
_RUNNING_KEYWORDS = {"shell", "allow_pickle"}


def package_files() -> list[Path]:
    """Return the source files of what is shipped."""
    return sorted(path for top in PACKAGES for path in (ROOT / top).rglob("*.py"))


def relative_name(path: Path) -> str:
    """Return a source file's path from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def writes_pictures(node: ast.AST) -> bool:
    """Tell whether a node of the syntax tree is a call that writes a picture or a movie."""
    if not isinstance(node, ast.Call):
        return False
    owner, name = called(node)
    modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
    is_writing = any(isinstance(mode, ast.Constant) and mode.value == "w" for mode in modes)
    return name in WRITING_CALLS or ((owner, name) == ("av", "open") and is_writing)


def runs_what_it_reads(node: ast.AST) -> bool:
    """Tell whether a node imports or calls what can run code from a file, or opens media of any format."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in _RUNNING_MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in _RUNNING_MODULES
    return isinstance(node, ast.Call) and (called(node) in _RUNNING_CALLS or _is_open_to_anything(node))


def _is_open_to_anything(call: ast.Call) -> bool:
    for word in call.keywords:
        if word.arg in _RUNNING_KEYWORDS and not (isinstance(word.value, ast.Constant) and word.value.value is False):
            return True
    given = {word.arg for word in call.keywords}
    return called(call) == ("av", "open") and not given & {"format", "container_options"}


def called(call: ast.Call) -> tuple[str, str]:
    """Return what a call names: the owner where that is one plain name, else "", and the function."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return (function.value.id if isinstance(function.value, ast.Name) else "."), function.attr
    return "", function.id if isinstance(function, ast.Name) else ""


def hits(rule: Callable[[ast.AST], bool], *, but_in: tuple[str, ...]) -> Iterator[str]:
    """Yield file and line of every node that a rule names, outside the files and folders that may hold it."""
    for path in package_files():
        if relative_name(path).startswith(but_in):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if rule(node):
                yield f"{relative_name(path)}:{getattr(node, 'lineno', 0)}"
