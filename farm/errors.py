"""Refusals that somebody has to tell apart: a caller over HTTP, or the head; to everybody else they are `DataError`."""

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


class LeaseEndedError(DataError):
    """A worker has not heard of its head for so long that it may not write any more."""


class ShareGoneError(DataError):
    """A root's folder is not the share that the farm began with: not mounted, renamed, or another."""


class LedgerDamagedError(DataError):
    """The ledger's file is not whole."""
