# SPDX-License-Identifier: GPL-3.0-or-later
"""How an operator tells the user what went wrong: one sentence with its remedy, never a traceback."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from dvp_core.data.errors import DataError


def reported(operator: bpy.types.Operator, action: Callable[[], str]) -> set[str]:
    """Run an operator's work; its sentence becomes an information, a `DataError` becomes the user's error."""
    try:
        sentence = action()
    except DataError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    operator.report({"INFO"}, sentence)
    return {"FINISHED"}
