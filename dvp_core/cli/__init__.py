"""The `dvp` command: finds the asked-for function, reads its arguments, shows progress and errors.

No logic of its own. Each command is a function with typed parameters; `farm` and `blender_addon` add theirs through
the entry point group `dvp.commands`, so that the core imports neither.
"""

from dvp_core.cli.main import main

__all__ = ["main"]
