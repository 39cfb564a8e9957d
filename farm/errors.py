"""Refusals that a caller over HTTP has to tell apart; to everybody else they are the usual `DataError`."""

from __future__ import annotations

from dvp_core.data.errors import DataError


class UnknownJobError(DataError):
    """There is no job of that id."""


class ConflictError(DataError):
    """What was asked for contradicts what is there already."""


class UnavailableError(DataError):
    """Nothing is wrong with what was asked for, but it cannot be had now."""


class UnreachableError(DataError):
    """No head answers: nothing has happened, and the same call may work later."""

    exit_code = 3
