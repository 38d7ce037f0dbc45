"""The errors that cross a boundary of the host."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """Wrong use or bad input: one clear line that names the thing and the remedy.

    The command line prints it without a traceback and exits with status 2; the WebSocket and OSC APIs
    return it as an error reply.
    """


class NotFetched(UserError):
    """Something optional that the user has not installed or fetched; the line says which command does."""


class PluginError(Exception):
    """A plugin broke its contract (wrong output, wrong type, not finite); contained and counted by the host."""


class DeviceLost(Exception):
    """The sound device has gone and this process cannot get it back; a new process can."""


def reported(main: Callable[[], object]) -> NoReturn:
    """Run the command line of a module and leave: wrong use and bad input end it with their one line, status 2."""
    try:
        result = main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(result if isinstance(result, int) else 0)
