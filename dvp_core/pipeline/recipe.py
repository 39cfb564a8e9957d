"""How an arrow knows that its output is already what it would make: the recipe beside every output.

`clip.take.recipe.json` holds the resolved settings, the hashes of all inputs, and the hash of the output, so that
the file also tells a person how the output came to be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import dvp_core
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, parse_json, read_json, sha256_of_file, write_bytes_atomically


def recipe_path(output: Path | str) -> Path:
    """Return where an output's recipe stands."""
    return Path(f"{output}.recipe.json")


def recipe_of(arrow: str, inputs: Mapping[str, Path | str | None], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of a run: the arrow's name, its inputs by hash, its settings and the program's version."""
    hashes = {name: None if path is None else sha256_of_file(path) for name, path in inputs.items()}
    recipe = {"arrow": arrow, "inputs_sha256": hashes, "settings": settings, "version": dvp_core.__version__}
    return parse_json(canonical_json(recipe), where="recipe")  # as it comes back from disk: tuples are lists


def is_fresh(output: Path | str, recipe: Mapping[str, Any], *, but_for: Collection[str] = ()) -> bool:
    """Say whether a file stands at `output`, undamaged, made by this very recipe.

    Args:
        output: The file.
        recipe: Of `recipe_of`.
        but_for: Settings in which the recipe may differ.
    """
    if not Path(output).is_file() or not recipe_path(output).is_file():
        return False
    try:
        recorded = read_json(recipe_path(output))
    except DataError:
        return False
    expected = dict(recipe) | {"output_sha256": sha256_of_file(output)}
    return _without(recorded, but_for) == _without(expected, but_for)


def _without(recipe: Any, settings: Collection[str]) -> Any:
    if not isinstance(recipe, dict) or not isinstance(recipe.get("settings"), dict):
        return recipe
    kept = {name: value for name, value in recipe["settings"].items() if name not in settings}
    return recipe | {"settings": kept}


def recorded(output: Path | str) -> dict[str, Any] | None:
    """Return the recipe that stands beside a file, or None where there is none or it is another file's."""
    if not recipe_path(output).is_file():
        return None
    content = read_json(recipe_path(output))
    is_own = isinstance(content, dict) and content.get("output_sha256") == sha256_of_file(output)
    return content if is_own else None


def record(output: Path | str, recipe: Mapping[str, Any]) -> None:
    """Write the recipe beside a finished output."""
    content = dict(recipe) | {"output_sha256": sha256_of_file(output)}
    write_bytes_atomically(recipe_path(output), canonical_json(content))
