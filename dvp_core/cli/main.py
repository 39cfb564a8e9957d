"""From the words of a command line to one function call, and from what it gives or raises to an exit code."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from dvp_core.data.errors import DataError

DONE, FAILED, WRONG_CALL = 0, 1, 2
WRONG_CALL_OF_VERIFY = 64  # its codes 1 to 5 are verdicts

# name: (module, function, one line); modules load only when called, so that `dvp` answers at once.
_OWN: dict[str, tuple[str, str, str]] = {
    "landmarks": ("landmarks", "find", "Find the facial points of a clip"),
    "track": ("track", "track", "Turn a clip into a take: face, pose, expression, gaze, light"),
    "overlay": ("overlay", "overlay", "Draw a take over its plate, as a movie to check the tracking by"),
    "report": ("report", "report", "Write a page about a take: warnings, curves, pictures"),
    "smooth": ("smooth", "smooth", "Turn a take's dial of smoothing; 0 is what was measured"),
    "transfer": ("transfer", "transfer", "Lay one take's performance over another's person"),
    "dub": ("dub", "dub", "Give an actor a dubbing performer's mouth, lips in contact with their sounds"),
    "edit": ("edit", "edit", "Apply keyed curves to a take"),
    "import-performance": ("import_performance", "import_recording", "Lay what another tool recorded over a take"),
    "export": ("export", "export", "Write a take for other tools"),
    "export-onnx": ("export_onnx", "export", "Write a generator for other programs"),
    "coverage": ("coverage", "coverage", "Say how far a take leaves what a generator has seen"),
    "passes": ("passes", "passes", "Render a take's conditioning passes"),
    "train": ("train", "train", "Train the generator of one person"),
    "render": ("render", "render", "Turn passes into photoreal frames"),
    "check": ("check", "check", "Hold rendered frames against the keys and name what is wrong"),
    "compose": ("compose", "compose", "Set rendered frames into the whole plate and make a movie"),
    "evaluate": ("evaluate", "evaluate", "Measure a generator on frames it has not seen"),
    "batch": ("batch", "batch", "Run the whole line over a list of clips"),
    "verify": ("verify", "verify", "Say where a picture, sequence or movie comes from"),
    "explain": ("explain", "explain", "Tell the story of an output: label, ledger, generator, consent"),
    "demo": ("demo", "demo", "Run everything on the built-in actor, or on your clip"),
    "doctor": ("doctor", "doctor", "Check this machine: packages, weights, Blender, GPU"),
    "model import-ict": ("model", "import_ict", "Import ICT-FaceKit as a face model"),
    "model import-flame": ("model", "import_flame", "Import FLAME as a face model"),
    "model import-bfm": ("model", "import_bfm", "Import a Basel Face Model as a face model"),
    "model map": ("model", "map_expressions", "Fit how one face model's expressions are said in another's"),
    "model calibrate": ("model", "calibrate", "Measure where MediaPipe sees its points on a face model"),
    "model built-in": ("model", "built_in", "Write the built-in face as a face model"),
    "consent new": ("consent", "new", "Record a person's consent for clips and uses"),
    "consent show": ("consent", "show", "Show a consent record"),
    "consent check": ("consent", "check", "Say whether a record allows a piece of work now"),
    "consent revoke": ("consent", "revoke", "Take a consent back"),
}


class UsageError(Exception):
    """The words of the command line do not make a call."""


@dataclass(frozen=True)
class Command:
    """One thing that `dvp` can do.

    Attributes:
        name: As typed, such as "track" or "farm submit".
        summary: One line.
        load: Gives the function; called only when the command is.
    """

    name: str
    summary: str
    load: Callable[[], Callable[..., Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dvp` and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 failed, 2 wrong call, or the error's own `exit_code`."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            _print_overview(_all_commands())
            return DONE
        if words[0] in ("-V", "--version"):
            sys.stdout.write(f"dvp {version('deep-video-portraits')}\n")
            return DONE
        command, rest = _find(words)
        return _call(command, list(rest))
    except UsageError as error:
        errors.print(f"dvp: {error}", markup=False)
        return _failed(words, str(error), WRONG_CALL)
    except DataError as error:
        errors.print(f"error: {error}", markup=False)
        return _failed(words, str(error), getattr(error, "exit_code", FAILED))
    except KeyboardInterrupt:
        text = "stopped; what is finished is kept, and the same command goes on from there"
        errors.print(text, markup=False)
        return _failed(words, text, FAILED)
    except BrokenPipeError:
        return FAILED


def _failed(words: Sequence[str], text: str, code: int) -> int:
    """Say the error as JSON where that was asked for, and return its exit code."""
    if "--json" in words:
        _print_json({"error": text, "exit_code": code})
    return code


def _all_commands() -> dict[str, Command]:
    own = {
        name: Command(name, summary, _loader(module, function)) for name, (module, function, summary) in _OWN.items()
    }
    return own | {command.name: command for group in entry_points(group="dvp.commands") for command in _group(group)}


def _loader(module: str, function: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(importlib.import_module(f"dvp_core.cli.{module}"), function)


def _group(entry_point: Any) -> list[Command]:
    functions: Mapping[str, Callable[..., Any]] = entry_point.load()
    return [
        Command(f"{entry_point.name} {name}", _summary(function), lambda function=function: function)
        for name, function in functions.items()
    ]


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")


def _find(words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """Return the command that the first one to three words name, and the words after it."""
    if words[0] in _OWN:  # the common case needs no look at other packages
        module, function, summary = _OWN[words[0]]
        return Command(words[0], summary, _loader(module, function)), words[1:]
    commands = _all_commands()
    for count in (3, 2, 1):
        if (name := " ".join(words[:count])) in commands:
            return commands[name], words[count:]
    below = [name for name in commands if name.split()[0] == words[0]]
    asks_for_help = words[-1] in ("-h", "--help")
    group = " ".join(words[:-1] if asks_for_help else words)
    if of_group := {name: commands[name] for name in below if name.startswith(f"{group} ")}:
        _print_overview(of_group)
        raise SystemExit(DONE if asks_for_help else WRONG_CALL)
    known = ", ".join(below) if below else ", ".join(dict.fromkeys(name.split()[0] for name in commands))
    raise UsageError(f"there is no command '{' '.join(words[:2])}'. There is: {known}")


def _call(command: Command, words: list[str]) -> int:
    function = command.load()
    has_own_json = "json" in inspect.signature(function).parameters
    wants_json = "--json" in words and not has_own_json
    if wants_json:
        words.remove("--json")
    try:
        # Whoever reads JSON finds it alone on standard output; what is said to people goes beside it.
        with redirect_stdout(sys.stderr) if wants_json else nullcontext():
            result = tyro.cli(
                function,
                args=words,
                prog=f"dvp {command.name}",
                description=(inspect.getdoc(function) or "").partition("\nArgs:")[0].strip(),
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as parsed:
        code = WRONG_CALL_OF_VERIFY if command.name == "verify" and parsed.code else int(parsed.code or DONE)
        if wants_json and code:
            _print_json({"error": f"the words make no call; see dvp {command.name} --help", "exit_code": code})
        return code
    code = result.pop("exit_code", DONE) if isinstance(result, dict) else (result or DONE)
    if wants_json and isinstance(result, dict):
        _print_json(result)
    return int(code)


def _print_json(result: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def _print_overview(commands: Mapping[str, Command]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for command in commands.values():
        table.add_row(f"dvp {command.name}", command.summary)
    console = Console(highlight=False)
    console.print("Deep Video Portraits: change a filmed performance. Each command explains itself with --help.\n")
    console.print(table)
